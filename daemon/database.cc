#include "daemon/database.h"

#include <fcntl.h>
#include <sqlite3.h>

#include <utility>

#include "base/error.h"
#include "base/unique_fd.h"

namespace qcbak::daemon {
namespace {

constexpr int kBusyTimeoutMs = 10'000;

[[noreturn]] void fail(sqlite3* database, int result) {
  const std::string what = std::string("state database: ") + sqlite3_errmsg(database);
  switch (result & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: throw Error(ErrorCode::damaged, what);
    case SQLITE_FULL: throw Error(ErrorCode::no_space, what);
    case SQLITE_BUSY: throw Error(ErrorCode::busy, what);
    default: throw Error(ErrorCode::io, what);
  }
}

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_), statement_(std::exchange(other.statement_, nullptr)), bound_(other.bound_) {}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement& Statement::bind(std::int64_t value) {
  const int result = sqlite3_bind_int64(statement_, ++bound_, value);
  if (result != SQLITE_OK) fail(database_, result);
  return *this;
}

Statement& Statement::bind(std::string_view text) {
  const int result =
      sqlite3_bind_text64(statement_, ++bound_, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  if (result != SQLITE_OK) fail(database_, result);
  return *this;
}

Statement& Statement::bind(const std::optional<std::int64_t>& value) {
  if (value) return bind(*value);
  const int result = sqlite3_bind_null(statement_, ++bound_);
  if (result != SQLITE_OK) fail(database_, result);
  return *this;
}

bool Statement::step() {
  const int result = sqlite3_step(statement_);
  if (result != SQLITE_ROW && result != SQLITE_DONE) fail(database_, result);
  return result == SQLITE_ROW;
}

void Statement::run() { check(!step(), "the statement gives no rows"); }

bool Statement::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::optional<std::int64_t> Statement::maybe_integer(int column) const {
  if (is_null(column)) return std::nullopt;
  return integer(column);
}

std::string Statement::text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_, column);
  if (text == nullptr) return "";
  return {reinterpret_cast<const char*>(text), static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

Database::Database(const std::string& path) {
  // SQLite would make it with the mode of the umask.
  if (const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)); !fd)
    throw_errno("open", path);
  const int result = sqlite3_open_v2(path.c_str(), &database_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, nullptr);
  try {
    if (result != SQLITE_OK) fail(database_, result);
    sqlite3_busy_timeout(database_, kBusyTimeoutMs);
    execute("PRAGMA journal_mode = WAL");
    execute("PRAGMA synchronous = FULL");
    execute("PRAGMA foreign_keys = ON");
    Statement check = prepare("PRAGMA quick_check(1)");
    if (!check.step() || check.text(0) != "ok") throw Error(ErrorCode::damaged, "state database: " + check.text(0));
  } catch (...) {
    sqlite3_close(database_);
    throw;
  }
}

Database::~Database() { sqlite3_close(database_); }

void Database::execute(const char* sql) {
  const int result = sqlite3_exec(database_, sql, nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) fail(database_, result);
}

Statement Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int result = sqlite3_prepare_v2(database_, sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
  if (result != SQLITE_OK) fail(database_, result);
  return {database_, statement};
}

void Database::copy_to(const std::string& path) { prepare("VACUUM INTO ?").bind(path).run(); }

void Database::roll_back() noexcept {
  // After some errors SQLite has rolled back by itself.
  sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
}

}  // namespace qcbak::daemon
