#include "cli/session.h"

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "backup/storage/local_directory.h"
#include "base/unique_fd.h"
#include "cli/messages.h"
#include "cli/password.h"

namespace qcbak::cli {
namespace {

constexpr std::size_t kCredentialLimit = 4U << 20;
constexpr std::uint64_t kWaitSeconds = 30;
constexpr std::uint64_t kWaitLimitSeconds = 7 * 24 * 3600;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

crypto::SecretBytes read_credential(const std::string& path) {
  return in_context("credential", [&] { return crypto::read_secret_file(path, kCredentialLimit); });
}

// Which credential to use; nothing: a password. What was typed counts before the environment.
std::optional<std::string> credential_file(const Arguments& arguments) {
  if (const auto file = arguments.value("credential-file")) return file;
  if (arguments.has("password-file") || arguments.has("password-command")) return std::nullopt;
  const std::string file = environment("QCBAK_CREDENTIAL_FILE");
  return file.empty() ? std::nullopt : std::optional(file);
}

}  // namespace

std::string repository_place(const Arguments& arguments) {
  std::string place = arguments.has("repo") ? arguments.text("repo") : environment("QCBAK_REPO");
  if (place.empty())
    throw Error(ErrorCode::usage, std::string(tr("no repository was named")))
        .with_hint(std::string(tr("name one with --repo or QCBAK_REPO")));
  for (const std::string_view kind : {"s3:", "https:", "http:"})
    if (place.starts_with(kind))
      throw Error(ErrorCode::usage, say("repositories at \"{}\" are not in this version", kind))
          .with_hint(std::string(tr("name a directory")));
  return place;
}

std::string cache_directory(const Invocation& invocation) {
  if (invocation.arguments.has("no-cache")) return "";
  if (const auto directory = invocation.arguments.value("cache-dir")) return *directory;
  if (invocation.program.keeps_no_cache) return "";
  if (const std::string base = environment("XDG_CACHE_HOME"); base.starts_with("/")) return base + "/qcbak";
  if (const std::string home = environment("HOME"); home.starts_with("/") && home != "/") return home + "/.cache/qcbak";
  return ::geteuid() == 0 ? "/var/cache/qcbak" : "";
}

Session::Session(const Invocation& invocation, Keys keys) : invocation_(invocation) {
  const Arguments& arguments = invocation.arguments;
  storage_ = storage::open_local_directory(repository_place(arguments));
  repository::OpenOptions options;
  options.cache_directory = cache_directory(invocation);
  options.keys_directory = arguments.has("keys") ? arguments.text("keys") : environment("QCBAK_KEYS_DIR");
  options.rollback = arguments.has("accept-rollback") ? repository::OpenOptions::Rollback::accept
                                                      : repository::OpenOptions::Rollback::refuse;
  repository_ = std::make_unique<repository::Repository>(*storage_, std::move(options));
  unlock(keys);
}

void Session::unlock(Keys keys) {
  if (keys == Keys::none) return;
  if (keys == Keys::any) {
    if (const auto file = credential_file(invocation_.arguments)) {
      const crypto::SecretBytes credential = read_credential(*file);
      repository_->unlock_with_credential(credential.view());
      return;
    }
  }
  password_ = read_password(invocation_);
  repository_->unlock_with_password(password_.view());
  if (keys == Keys::any) password_ = {};
}

std::unique_ptr<storage::Storage::WriterLock> wait_for_lock(const Invocation& invocation, storage::Storage& storage) {
  constexpr auto kPause = std::chrono::milliseconds(100);
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::uint64_t seconds = invocation.arguments.number("wait", kWaitSeconds, 0, kWaitLimitSeconds);
  const std::int64_t until = invocation.clock.monotonic_ns() + static_cast<std::int64_t>(seconds) * kSecond;
  for (bool told = false;; told = true) {
    try {
      return repository::lock_for_writing(storage, invocation.clock, 0, nullptr);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::busy || invocation.clock.monotonic_ns() >= until) throw;
    }
    if (!told) invocation.output.warn(say("waiting for another process that is writing to {}", storage.description()));
    if (invocation.stop.stop_requested()) throw Error(ErrorCode::interrupted, std::string(tr("stopped on request")));
    std::this_thread::sleep_for(kPause);
  }
}

void Session::lock_for_writing() {
  lock_ = wait_for_lock(invocation_, *storage_);
  repository_->refresh_log();
}

const repository::DomainKeys& Session::domain_of(const repository::SnapshotInfo& snapshot) const {
  const repository::DomainKeys* domain = repository_->find_domain(snapshot.state.domain);
  check(domain != nullptr, "a snapshot's header was opened by its domain's key");
  return *domain;
}

std::vector<repository::SnapshotInfo> Session::snapshots() {
  std::vector<repository::Repository::Damage> damage;
  std::vector<repository::SnapshotInfo> found = repository_->snapshots(&damage);
  for (const auto& [object, what] : damage)
    invocation_.output.warn(say("{} is damaged and left out: {}", object, what));
  found_damage_ |= !damage.empty();
  return found;
}

}  // namespace qcbak::cli
