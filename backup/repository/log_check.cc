#include "backup/repository/log_check.h"

#include <charconv>

#include "backup/repository/config.h"
#include "backup/repository/format.h"
#include "backup/repository/repository.h"
#include "base/error.h"

namespace qcbak::repository {
namespace {

std::uint64_t last_number(const storage::ReadStorage& storage) {
  std::uint64_t last = 0;
  for (const storage::ObjectInfo& object : storage.list("log/")) {
    const std::string_view digits = std::string_view(object.name).substr(object.name.rfind('/') + 1);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error == std::errc() && end == digits.data() + digits.size() && log_path(number) == object.name)
      last = std::max(last, number);
  }
  return last;
}

}  // namespace

LogChecker::LogChecker(const crypto::Sha256& config_hash, LoadKeyObject load)
    : config_hash_(config_hash), load_(std::move(load)) {
  state_.head.hash = config_hash;
}

void LogChecker::find(std::uint64_t number, std::string what) {
  if (check_.findings.size() > kLogFindings) return;
  if (check_.findings.size() == kLogFindings) check_.findings.push_back({0, "has more that is wrong than is named here"});
  else check_.findings.push_back({number, std::move(what)});
}

void LogChecker::add_missing(const std::string& what) {
  find(next_number(), what);
  hashes_.emplace_back();
  good_ = whole_ = false;
}

void LogChecker::add(ByteView stored) {
  LogEntry entry;
  try {
    entry = parse_log_entry(config_hash_, stored);
  } catch (const Error& error) {
    add_missing(std::string("was altered: ") + error.what());
    hashes_.back() = crypto::sha256(stored);
    ++check_.entries;
    return;
  }
  add(entry, stored);
}

void LogChecker::add(const LogEntry& entry, ByteView stored) {
  hashes_.push_back(crypto::sha256(stored));
  ++check_.entries;
  good_ = check_one(entry, stored);
  whole_ = whole_ && good_;
}

// False: the entry, or its place, is not to be relied on, so that what follows it is not compared with it.
bool LogChecker::check_one(const LogEntry& entry, ByteView stored) {
  const std::uint64_t number = hashes_.size();
  if (entry.number != number) {
    find(number, "is entry " + std::to_string(entry.number) + " in this one's place");
    return false;
  }
  check_.last = {number, hashes_.back()};
  check_.last_time = entry.time;
  const crypto::Sha256& before = number == 1 ? config_hash_ : hashes_[number - 2];
  if (good_ && entry.previous != before) {
    find(number, number == 1 ? "belongs to another repository"
                             : "does not follow on entry " + std::to_string(number - 1) + ": one of the two was replaced");
    whole_ = false;  // which of them is not known; what follows this one may still do so
    return true;
  }
  if (const auto* checkpoint = std::get_if<Checkpoint>(&entry.event)) {
    const LogHead& head = checkpoint->head;
    if (head.number == 0 || head.number >= number || hashes_[head.number - 1] != head.hash)
      find(number, "is a checkpoint that says something else of entry " + std::to_string(head.number));
  }
  if (whole_) apply(entry, stored);
  return true;
}

void LogChecker::apply(const LogEntry& entry, ByteView stored) {
  try {
    apply_log_entry(state_, config_hash_, entry, stored, load_);
  } catch (const Error& error) {
    find(entry.number, error.what());
    whole_ = false;
  }
}

LogCheck LogChecker::finish(const std::vector<LogHead>& known) {
  const std::uint64_t last = hashes_.size();
  for (const LogHead& head : known) {
    if (head.number > last)
      find(head.number, "is missing: the log ends before this checkpoint, with entry " + std::to_string(last));
    else if (head.number == 0 || hashes_[head.number - 1] != head.hash)
      find(head.number, "is not the one that the checkpoint names");
  }
  return std::move(check_);
}

LogCheck check_log(const storage::ReadStorage& storage, const std::string& keys_directory,
                   const std::vector<LogHead>& known) {
  return check_log(storage, keys_directory, [&](const KeySet&) { return known; });
}

LogCheck check_log(const storage::ReadStorage& storage, const std::string& keys_directory, const KnownHeads& known) {
  const auto config = storage.get(kConfigPath, kConfigLimit);
  if (!config) throw no_repository(storage);
  in_context("config", [&] { parse_config(*config); });
  LogChecker checker(crypto::sha256(*config),
                     [&](const ObjectName& name) { return load_key_object(storage, keys_directory, name); });
  const std::uint64_t last = last_number(storage);
  while (checker.next_number() <= last) {
    const auto stored = storage.get(log_path(checker.next_number()), kLogEntryLimit);
    if (stored) checker.add(*stored);
    else checker.add_missing("is missing");
  }
  return checker.finish(known(checker.state().keys));
}

}  // namespace qcbak::repository
