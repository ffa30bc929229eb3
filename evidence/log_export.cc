#include "evidence/log_export.h"

#include <map>

#include "evidence/key_history.h"

namespace qcbak::evidence {
namespace {

using namespace repository;

class Exporter {
 public:
  Exporter(const Repository& repository, const LogExportOptions& options,
           const std::function<void(std::string_view)>& write)
      : repository_(repository), options_(options), write_(write), head_{0, repository.config_hash()} {
    for (PastKeyObject& object : key_objects_to_export(key_history(repository)))
      objects_[object.entry].push_back(std::move(object));
  }

  void put_header() {
    const auto config = repository_.storage().get(kConfigPath, kConfigLimit);
    if (!config || crypto::sha256(*config) != repository_.config_hash())
      throw Error(ErrorCode::damaged, "the repository's config is not the one it was opened with");
    put(header_line(*config));
  }

  void put_entry(std::uint64_t number) {
    const auto stored = repository_.storage().get(log_path(number), kLogEntryLimit);
    if (!stored) throw Error(ErrorCode::damaged, "it is missing");
    LogEntry entry = parse_log_entry(repository_.config_hash(), *stored);
    if (entry.number != number || entry.previous != head_.hash)
      throw Error(ErrorCode::damaged, "it does not follow on the entry before");
    const std::optional<crypto::AeadKey> key = key_of(entry);
    if (key) open_log_details(repository_.binding(entry.domain), *key, entry);
    if (key)
      ++summary_.opened;
    else if (!entry.sealed.empty())
      ++summary_.sealed;
    if (const auto objects = objects_.find(number); objects != objects_.end())
      for (const PastKeyObject& object : objects->second) put(object_line(object.name, object.stored));
    put(entry_line(entry, *stored, key));
    head_ = {number, crypto::sha256(*stored)};
  }

  LogExportSummary put_end(const DomainKeys& signer, Time now) {
    if (head_.hash != repository_.log().head.hash)
      throw Error(ErrorCode::damaged, "the repository's log is not the one it was opened with");
    const std::string text =
        unsigned_part(end_json(head_, utc_text(now), signer.id, crypto::sign_public(signer.signer)));
    const crypto::Sha256 hash = written_.update(as_bytes(text)).finish();
    write_(text + signature_part(sign_text(signer.signer, {kLogExportFormat, repository_.config_hash(), hash})) + "\n");
    summary_.last = head_;
    return summary_;
  }

 private:
  void put(std::string line) {
    line += '\n';
    written_.update(as_bytes(line));
    write_(line);
  }

  std::optional<crypto::AeadKey> key_of(const LogEntry& entry) const {
    const DomainKeys* domain = repository_.find_domain(entry.domain);
    if (entry.sealed.empty() || domain == nullptr) return std::nullopt;
    if ((options_.since && entry.time < *options_.since) || (options_.until && entry.time >= *options_.until))
      return std::nullopt;
    return log_details_key(*domain, entry);
  }

  const Repository& repository_;
  const LogExportOptions& options_;
  const std::function<void(std::string_view)>& write_;
  std::map<std::uint64_t, std::vector<PastKeyObject>> objects_;  // by the entry that adds them
  LogHead head_;
  crypto::Sha256Stream written_;
  LogExportSummary summary_;
};

}  // namespace

LogExportSummary export_log(const Repository& repository, const DomainKeys& signer, Time now,
                            const LogExportOptions& options, const std::function<void(std::string_view)>& write,
                            const std::stop_token& stop) {
  Exporter exporter(repository, options, write);
  exporter.put_header();
  for (std::uint64_t number = 1; number <= repository.log().head.number; ++number) {
    if (stop.stop_requested()) throw Error(ErrorCode::interrupted, "stopped on request");
    in_context("log entry " + std::to_string(number), [&] { exporter.put_entry(number); });
  }
  return exporter.put_end(signer, now);
}

std::string header_line(ByteView config) {
  return line_of(
      {{"format", kLogExportFormat}, {"config", to_base64(config)}, {"repository", parse_config(config).id.hex()}});
}

std::string object_line(const ObjectName& name, ByteView stored) {
  return line_of({{"object", name.hex()}, {"stored", to_base64(stored)}});
}

std::string entry_line(const LogEntry& entry, ByteView stored, const std::optional<crypto::AeadKey>& key) {
  const bool closed = !key && !entry.sealed.empty();
  Json json = {{"entry", entry.number},
               {"time", utc_text(entry.time)},
               {"kind", name_of(entry.kind())},
               {"domain", entry.domain.hex()},
               {"signer", entry.signer.hex()},
               {"previous", entry.previous.hex()},
               {"hash", crypto::sha256(stored).hex()},
               {"details", details_json(entry, closed ? SealedDetails::sealed : SealedDetails::opened, utc_text)}};
  if (key) json["key"] = to_base64(key->view());
  json["stored"] = to_base64(stored);
  return line_of(json);
}

Json end_json(const LogHead& last, const std::string& made, const DomainId& domain, const crypto::SignPublic& signer) {
  return {{"end", last.number},
          {"hash", last.hash.hex()},
          {"time", made},
          {"domain", domain.hex()},
          {"signer", signer.hex()}};
}

}  // namespace qcbak::evidence
