// SQLite, as the daemon uses it: one connection, errors as Error, statements that are wound up by scope.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace qcbak::daemon {

class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // Parameters in their order, the first one first.
  Statement& bind(std::int64_t value);
  Statement& bind(std::string_view text);
  Statement& bind(const std::optional<std::int64_t>& value);
  bool step();  // false: there is no further row
  void run();   // of a statement that gives no rows

  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  std::optional<std::int64_t> maybe_integer(int column) const;
  std::string text(int column) const;

 private:
  friend class Database;
  Statement(sqlite3* database, sqlite3_stmt* statement) : database_(database), statement_(statement) {}
  sqlite3* database_;
  sqlite3_stmt* statement_;
  int bound_ = 0;
};

class Database {
 public:
  // Opens or makes it, durable with each commit (WAL, synchronous=FULL), mode 0600. Error(damaged) when the file is no
  // database, or one that is damaged.
  explicit Database(const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void execute(const char* sql);
  Statement prepare(std::string_view sql);

  // A copy of it as it is now, in a new file; others may be writing to it.
  void copy_to(const std::string& path);

  // All of `body`, or nothing of it.
  template <class Body>
  void transaction(Body&& body) {
    execute("BEGIN IMMEDIATE");
    try {
      body();
      execute("COMMIT");
    } catch (...) {
      roll_back();
      throw;
    }
  }

 private:
  void roll_back() noexcept;
  sqlite3* database_ = nullptr;
};

}  // namespace qcbak::daemon
