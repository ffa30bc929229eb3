#include <algorithm>
#include <map>

#include "backup/repository/config.h"
#include "evidence/log_export.h"

namespace qcbak::evidence {
namespace {

using namespace repository;

constexpr std::uint64_t kMissingLimit = 1'000'000;        // entries; the check ends where more are left out
constexpr std::size_t kWaitingObjectsLimit = 256U << 20;  // bytes of key objects before one entry

class ExportChecker {
 public:
  ExportChecker(std::string_view header, const Config& config, const crypto::Sha256& config_hash, const Roots& roots)
      : config_(config),
        config_hash_(config_hash),
        roots_(roots),
        log_(config_hash, [this](const ObjectName& name) { return waiting_object(name); }) {
    written_.update(as_bytes(header)).update(as_bytes("\n"));
  }

  LogExportCheck run(LineReader& lines, const std::vector<LogHead>& known) {
    try {
      while (const auto line = lines.next(kLineLimit)) take(*line);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::damaged) throw;
      damage(error.what());
    }
    report_damage();
    if (!ended_) log_.find(0, "was cut off: its end is missing");
    check_roots();
    check_.log = log_.finish(known);
    return std::move(check_);
  }

 private:
  void take(std::string_view line) {
    ++line_;
    if (ended_) return damage("stands behind the end");
    const Json json = parse_object(line);
    try {
      if (json.contains("object"))
        take_object(json, line);
      else if (json.contains("entry"))
        take_entry(json, line);
      else if (json.contains("end"))
        return take_end(json, line);
      else
        throw Error(ErrorCode::damaged, "it is not to be read");
    } catch (const TooMuchMissing&) {
      throw Error(ErrorCode::damaged, "too many entries are left out before it");
    } catch (const Error& error) {
      damage(error.what());
    }
    written_.update(as_bytes(line)).update(as_bytes("\n"));
  }

  struct TooMuchMissing {};

  void take_object(const Json& json, std::string_view line) {
    const auto name = hex_member<ObjectName>(json, "object");
    Bytes stored = base64_member(json, "stored", kKeyObjectLimit);
    if (object_line(name, stored) != line) throw Error(ErrorCode::damaged, "it was altered");
    if (name_of(stored) != name) throw Error(ErrorCode::damaged, "a key object has the name of another");
    waiting_bytes_ += stored.size();
    if (waiting_bytes_ > kWaitingObjectsLimit) throw Error(ErrorCode::damaged, "too many key objects before one entry");
    waiting_.emplace(name, std::move(stored));
  }

  void take_entry(const Json& json, std::string_view line) {
    const Bytes stored = base64_member(json, "stored", kLogEntryLimit);
    LogEntry entry = parse_log_entry(config_hash_, stored);
    if (entry.number < log_.next_number()) {
      log_.find(entry.number, "stands a second time, or behind a later one");
      return;
    }
    pass_over(entry.number);
    const std::optional<crypto::AeadKey> key = open(json, entry);
    if (entry_line(entry, stored, key) != line) log_.find(entry.number, "says something else than is shown of it");
    first_of_domain_.try_emplace(entry.domain, entry.number);
    log_.add(entry, stored);
    for (const auto& [name, object] : waiting_)
      if (!adds(entry, name)) log_.find(entry.number, "has a key object before it that it does not add");
    waiting_.clear();
    waiting_bytes_ = 0;
  }

  // Nothing: they stay sealed, or the key shown is not the right one.
  std::optional<crypto::AeadKey> open(const Json& json, LogEntry& entry) {
    if (!json.contains("key")) {
      if (!entry.sealed.empty()) ++check_.sealed;
      return std::nullopt;
    }
    try {
      const Bytes bytes = base64_member(json, "key", crypto::AeadKey::kSize);
      if (entry.sealed.empty() || bytes.size() != crypto::AeadKey::kSize)
        throw Error(ErrorCode::damaged, "a key that is none");
      crypto::AeadKey key(bytes);
      open_log_details({config_.suite, config_hash_, entry.domain}, key, entry);
      ++check_.opened;
      return key;
    } catch (const Error&) {
      log_.find(entry.number, "is not opened by the key shown");
      return std::nullopt;
    }
  }

  static bool adds(const LogEntry& entry, const ObjectName& name) {
    const auto* event = std::get_if<KeyEvent>(&entry.event);
    return event != nullptr && std::find(event->added.begin(), event->added.end(), name) != event->added.end();
  }

  void take_end(const Json& json, std::string_view line) {
    report_damage();
    ended_ = true;
    try {
      const std::uint64_t last = log_.next_number() - 1;
      const LogHead head{number_member(json, "end"), hex_member<crypto::Sha256>(json, "hash")};
      const auto domain = hex_member<DomainId>(json, "domain");
      const auto signer = hex_member<crypto::SignPublic>(json, "signer");
      const Bytes signature = base64_member(json, "signature", crypto::Signature::kSize);
      check_.made = text_member(json, "time");
      const std::string text = unsigned_part(end_json(head, check_.made, domain, signer));
      if (text + signature_part(crypto::Signature(signature)) != line || signature.size() != crypto::Signature::kSize)
        throw Error(ErrorCode::damaged, "has an end that was altered");
      const crypto::Sha256 hash = written_.update(as_bytes(text)).finish();
      if (!signature_holds(signer, {kLogExportFormat, config_hash_, hash}, crypto::Signature(signature)))
        log_.find(0, "is not what was signed at its end");
      if (head.number > last)
        log_.find(last + 1, "is missing: the end names entry " + std::to_string(head.number) + " as the last");
      else if (head.number < last)
        log_.find(head.number + 1, "stands behind the last that the end names");
      else if (log_.whole() && head.hash != log_.state().head.hash)
        log_.find(last, "is not the one that the end names");
      if (log_.whole() && !log_.state().keys.may_sign_log(domain, signer))
        log_.find(0, "was signed by somebody who may not: " + signer.hex());
    } catch (const Error& error) {
      log_.find(0, error.what());
    }
  }

  void check_roots() {
    if (log_.next_number() == 1) log_.find(0, "has no entries");
    for (const DomainId& id : log_.state().keys.domains()) {
      const DomainObject& domain = *log_.state().keys.domain(id);
      if (!roots_.contains(domain.root))
        log_.find(first_of_domain_[id], "makes the domain \"" + printable(domain.name) + "\", whose root " +
                                            domain.root.hex() + " is not among the public keys given");
    }
  }

  // A line that is wrong stands where the next entry should be; whether that is missing is seen when another comes.
  void damage(const std::string& what) {
    if (damage_) log_.find(log_.next_number(), *damage_);
    damage_ = "line " + std::to_string(line_) + ": " + what;
  }
  void report_damage() {
    if (damage_) log_.find(ended_ ? 0 : log_.next_number(), *damage_);
    damage_.reset();
  }
  void pass_over(std::uint64_t number) {
    if (number - log_.next_number() > kMissingLimit - missing_) throw TooMuchMissing{};
    for (; log_.next_number() < number; ++missing_) {
      log_.add_missing(damage_ ? "is missing or was altered: " + *damage_ : "is missing");
      damage_.reset();
    }
    report_damage();
  }

  std::optional<Bytes> waiting_object(const ObjectName& name) const {
    const auto at = waiting_.find(name);
    return at == waiting_.end() ? std::nullopt : std::optional(at->second);
  }

  const Config& config_;
  const crypto::Sha256 config_hash_;
  const Roots& roots_;
  LogChecker log_;
  LogExportCheck check_;
  crypto::Sha256Stream written_;
  std::map<ObjectName, Bytes> waiting_;  // key objects that the next entry adds
  std::size_t waiting_bytes_ = 0;
  std::map<DomainId, std::uint64_t> first_of_domain_;
  std::optional<std::string> damage_;
  std::uint64_t line_ = 1;
  std::uint64_t missing_ = 0;
  bool ended_ = false;
};

}  // namespace

LogExportCheck check_log_export(std::string_view header, LineReader& lines, const Roots& roots,
                                const std::vector<LogHead>& known) {
  const std::string first(header);
  try {
    const Bytes stored = base64_member(parse_object(first), "config", kConfigLimit);
    const Config config = parse_config(stored);
    if (header_line(stored) != first) throw Error(ErrorCode::damaged, "it shows something else than its config says");
    return ExportChecker(first, config, crypto::sha256(stored), roots).run(lines, known);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::damaged) throw;
    LogExportCheck check;
    check.log.findings.push_back({0, std::string("has a first line that was altered: ") + error.what()});
    return check;
  }
}

}  // namespace qcbak::evidence
