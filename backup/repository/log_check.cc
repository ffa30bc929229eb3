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

class Checker {
 public:
  Checker(const storage::ReadStorage& storage, const std::string& keys_directory, const crypto::Sha256& config_hash)
      : storage_(storage), keys_directory_(keys_directory), config_hash_(config_hash) {
    state_.head.hash = config_hash;
  }

  LogCheck run(const std::vector<LogHead>& known) {
    const std::uint64_t last = last_number(storage_);
    for (std::uint64_t number = 1; number <= last; ++number) {
      const bool good_before = good_;
      good_ = check_one(number, good_before);
      whole_ = whole_ && good_;
    }
    for (const LogHead& head : known) {
      if (head.number > last)
        find(head.number, "is missing: the log ends before this checkpoint, with entry " + std::to_string(last));
      else if (head.number == 0 || hashes_[head.number - 1] != head.hash)
        find(head.number, "is not the one that the checkpoint names");
    }
    return std::move(check_);
  }

 private:
  void find(std::uint64_t number, std::string what) { check_.findings.push_back({number, std::move(what)}); }

  // False: it, or its place, is not to be relied on, so that what follows it is not compared with it.
  bool check_one(std::uint64_t number, bool good_before) {
    hashes_.emplace_back();
    const auto stored = storage_.get(log_path(number), kLogEntryLimit);
    if (!stored) {
      find(number, "is missing");
      return false;
    }
    ++check_.entries;
    hashes_.back() = crypto::sha256(*stored);
    LogEntry entry;
    try {
      entry = parse_log_entry(config_hash_, *stored);
    } catch (const Error& error) {
      find(number, std::string("was altered: ") + error.what());
      return false;
    }
    if (entry.number != number) {
      find(number, "is entry " + std::to_string(entry.number) + " in this one's place");
      return false;
    }
    check_.last = {number, hashes_.back()};
    check_.last_time = entry.time;
    const crypto::Sha256& before = number == 1 ? config_hash_ : hashes_[number - 2];
    if (good_before && entry.previous != before) {
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
    if (!whole_) return true;
    try {
      apply_log_entry(state_, config_hash_, entry, *stored, [this](const ObjectName& name) { return load_key_object(storage_, keys_directory_, name); });
    } catch (const Error& error) {
      find(number, error.what());
      whole_ = false;
    }
    return true;
  }

  const storage::ReadStorage& storage_;
  const std::string& keys_directory_;
  const crypto::Sha256 config_hash_;
  LogState state_;
  LogCheck check_;
  std::vector<crypto::Sha256> hashes_;  // of the entries as they are stored
  bool good_ = true;                    // the entry before
  bool whole_ = true;                   // all entries before: the state is what the log says
};

}  // namespace

LogCheck check_log(const storage::ReadStorage& storage, const std::string& keys_directory,
                   const std::vector<LogHead>& known) {
  const auto config = storage.get(kConfigPath, kConfigLimit);
  if (!config) throw no_repository(storage);
  in_context("config", [&] { parse_config(*config); });
  return Checker(storage, keys_directory, crypto::sha256(*config)).run(known);
}

}  // namespace qcbak::repository
