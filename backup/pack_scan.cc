#include "backup/pack_scan.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "base/error.h"

namespace qcbak {

using repository::ObjectName;
using repository::PackHeader;
using repository::PackTable;
using repository::kPackHeaderSize;
using repository::kPackLimit;

namespace {

constexpr std::size_t kLeastPack = 2 * kPackHeaderSize;
constexpr std::size_t kSalvageStep = 4096;  // what is given up around a sector that cannot be read

void note(PackFindings& findings, const std::string& what) {
  findings.state = PackFindings::State::damaged;
  if (!findings.what.empty()) findings.what += "; ";
  findings.what += what;
}

std::optional<PackHeader> intact_header(ByteView bytes, std::uint64_t pack_length) {
  const auto header = repository::parse_pack_header(bytes);
  return header && header->length == pack_length ? header : std::nullopt;
}

}  // namespace

std::optional<bool> read_pack_bytes(const storage::ReadStorage& storage, const ObjectName& name,
                                    MutableByteView into) {
  const std::string path = repository::pack_path(name);
  const auto read = [&](std::uint64_t offset, MutableByteView part) -> std::optional<bool> {
    try {
      const auto got = storage.get_range(path, offset, part);
      if (!got || *got != part.size()) return std::nullopt;
      return true;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::io) throw;
      return false;
    }
  };
  const auto whole = read(0, into);
  if (!whole || *whole) return whole;
  for (std::size_t at = 0; at < into.size(); at += kSalvageStep) {
    const MutableByteView part = into.subspan(at, std::min(kSalvageStep, into.size() - at));
    const auto got = read(at, part);
    if (!got) return std::nullopt;
    if (!*got) std::fill(part.begin(), part.end(), std::byte{0});
  }
  return false;
}

repository::RecordDecoder& PackScanner::decoder(Decoders& decoders, const repository::DomainKeys& domain) const {
  auto at = decoders.find(domain.id);
  if (at == decoders.end())
    at = decoders.emplace(domain.id, repository::RecordDecoder(repository_.binding(domain.id), domain)).first;
  return at->second;
}

// Finds out whose pack it is and, with the map key, what is in it. Both copies of everything must be there: the second
// is what is left when the first gets lost.
void PackScanner::read_table(PackFindings& findings, ByteView pack) {
  const auto head = intact_header(pack.first(kPackHeaderSize), pack.size());
  const auto trailer = intact_header(pack.last(kPackHeaderSize), pack.size());
  if (!head) note(findings, "its header is damaged");
  if (!trailer) note(findings, "its trailer is damaged");
  if (!head && !trailer) return;
  if (head && trailer && !equal(pack.first(kPackHeaderSize), pack.last(kPackHeaderSize)))
    note(findings, "its header and trailer differ");
  findings.domain = head ? head->domain : trailer->domain;
  if (repository_.log().keys.domain(*findings.domain) == nullptr) {
    note(findings, "it belongs to no domain of this repository");
    // Under its own name it harms nobody; under another it is in the place of a pack of ours.
    if (findings.bytes_hold) findings.state = PackFindings::State::foreign;
    return;
  }
  findings.keys = repository_.find_domain(*findings.domain);
  if (findings.keys == nullptr) return;

  const repository::Binding binding = repository_.binding(*findings.domain);
  std::optional<Error> missing_key;
  const auto parse = [&](const std::optional<PackHeader>& header, std::uint32_t PackHeader::*at) {
    std::optional<PackTable> table;
    if (!header) return table;
    try {
      table = parse_pack_table(binding, *findings.keys, *header, pack.subspan((*header).*at, header->table_length));
    } catch (const Error& error) {
      // Also where the damage makes it name an epoch that is none.
      if (error.code() == ErrorCode::wrong_key) missing_key = error;
      else if (error.code() != ErrorCode::damaged) throw;
    }
    return table;
  };
  std::optional<PackTable> first = parse(head ? head : trailer, &PackHeader::table_a);
  std::optional<PackTable> second = parse(trailer ? trailer : head, &PackHeader::table_b);
  if (!first && !second && missing_key && findings.bytes_hold) throw *missing_key;
  if (!first) note(findings, "the first copy of its directory is damaged");
  if (!second) note(findings, "the second copy of its directory is damaged");
  if (first && second && head && trailer &&
      !equal(pack.subspan(head->table_a, head->table_length), pack.subspan(trailer->table_b, trailer->table_length)))
    note(findings, "the copies of its directory differ");
  findings.table = first ? std::move(first) : std::move(second);
}

void PackScanner::open_records(PackFindings& findings, MutableByteView pack) {
  const bool reading = findings.keys->can_read();
  const std::vector<repository::PackRecord>& records = findings.table->records;
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;  // findings, failure
  std::exception_ptr failure;
  const auto bad = [&](const repository::PackRecord& record, bool unproven) {
    const std::lock_guard lock(mutex);
    findings.bad_records.push_back(record.offset);
    if (unproven) ++findings.unproven_records;
  };
  const auto open = [&](Decoders& decoders) {
    try {
      for (std::size_t at = next++; at < records.size(); at = next++) {
        const repository::PackRecord& record = records[at];
        const repository::SegmentHeader& segment = findings.table->segments[record.segment];
        if (segment.kind == repository::SegmentKind::data && !reading) {
          // Its tag cannot be checked: as good as the pack's bytes, and no better.
          if (!findings.bytes_hold) bad(record, true);
          continue;
        }
        try {
          decoder(decoders, *findings.keys)
              .decode(segment, record.info, pack.subspan(record.offset, record.stored_length),
                      repository::RecordDecoder::Hashes::check);
        } catch (const Error& error) {
          if (error.code() != ErrorCode::damaged && error.code() != ErrorCode::wrong_key) throw;
          bad(record, false);
        }
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
      next = records.size();
    }
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < decoders_.size() && i < records.size(); ++i)
      others.emplace_back([&, i] { open(decoders_[i]); });
    open(decoders_.front());
  }
  if (failure) std::rethrow_exception(failure);
  if (findings.bad_records.empty()) return;
  std::sort(findings.bad_records.begin(), findings.bad_records.end());
  const std::uint64_t altered = findings.bad_records.size() - findings.unproven_records;
  const std::string of = " of its " + std::to_string(findings.table->records.size()) + " records ";
  if (altered > 0) note(findings, std::to_string(altered) + of + "do not open to what their ids say");
  if (findings.unproven_records > 0)
    note(findings, std::to_string(findings.unproven_records) + of + "cannot be told good from bad without the reading key");
}

PackFindings PackScanner::scan(const ObjectName& name, std::uint64_t size_bytes, PackDepth depth) {
  PackFindings findings;
  findings.name = name;
  const storage::ReadStorage& storage = repository_.storage();
  if (size_bytes < kLeastPack || size_bytes > kPackLimit) {
    note(findings, "it has an impossible length");
    return findings;
  }
  const auto gone = [&] {
    if (storage.size(repository::pack_path(name))) {
      note(findings, "it was cut off");
    } else {
      findings.state = PackFindings::State::missing;
      findings.what = "it is missing";
    }
    return std::move(findings);
  };

  if (depth == PackDepth::table) {
    try {
      std::array<std::byte, kPackHeaderSize> head;
      const auto got = storage.get_range(repository::pack_path(name), 0, head);
      if (!got || *got != head.size()) return gone();
      const auto header = intact_header(head, size_bytes);
      if (header && repository_.log().keys.domain(header->domain) != nullptr) {
        findings.domain = header->domain;
        findings.keys = repository_.find_domain(header->domain);
        if (findings.keys != nullptr)
          findings.table = read_pack_table(storage, name, repository_.binding(header->domain), *findings.keys);
        return findings;
      }
    } catch (const Error& error) {
      if (error.code() == ErrorCode::not_found) return gone();
      if (error.code() != ErrorCode::damaged && error.code() != ErrorCode::wrong_key && error.code() != ErrorCode::io)
        throw;
    }
    // Something is wrong with it: looked at whole, whatever was asked for.
  }

  if (buffer_.capacity() < size_bytes) buffer_ = PageBuffer(std::max<std::size_t>(size_bytes, repository::kPackTarget));
  const MutableByteView pack = buffer_.span().first(size_bytes);
  const auto whole = read_pack_bytes(storage, name, pack);
  if (!whole) return gone();
  findings.bytes_read = size_bytes;
  if (!*whole) note(findings, "the medium cannot read parts of it");
  findings.bytes_hold = *whole && repository::name_of(pack) == name;
  if (!findings.bytes_hold) note(findings, "its bytes do not match its name");
  read_table(findings, pack);
  if (findings.table && (depth == PackDepth::records || !findings.bytes_hold)) open_records(findings, pack);
  return findings;
}

void scan_packs(const repository::Repository& repository, const std::vector<PackJob>& jobs, unsigned threads,
                Progress& progress, std::stop_token stop, const std::function<void(PackFindings&&)>& visit) {
  if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency()) + 1;
  // With few packs for each thread, some would have none left while others open the records of their last.
  constexpr std::size_t kManyForEach = 8;
  const unsigned wanted = threads;
  threads = static_cast<unsigned>(std::clamp<std::size_t>(jobs.size(), 1, wanted));
  const unsigned openers = jobs.size() < kManyForEach * wanted ? std::max(2U, (wanted + threads - 1) / threads) : 1;
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> ending = false;
  std::mutex mutex;  // visit, failure
  std::exception_ptr failure;
  const auto work = [&] {
    try {
      PackScanner scanner(repository, wanted == 1 ? 1 : openers);
      while (!ending) {
        const std::size_t at = next++;
        if (at >= jobs.size()) return;
        if (stop.stop_requested()) throw Error(ErrorCode::interrupted, "asked to stop");
        const PackJob& job = jobs[at];
        *progress.current.lock() = repository::pack_path(job.name);
        PackFindings findings = scanner.scan(job.name, job.size_bytes, job.depth);
        progress.done_bytes += findings.bytes_read;
        const std::lock_guard lock(mutex);
        visit(std::move(findings));
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
      ending = true;
    }
  };
  {
    std::vector<std::jthread> pool;
    for (unsigned i = 1; i < threads; ++i) pool.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace qcbak
