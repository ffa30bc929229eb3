#include "wipe/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/cbor.h"
#include "base/error.h"

namespace qcbak::wipe {
namespace {

constexpr std::string_view kMagic = "qcbakwj1";
constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kSizeSize = sizeof(std::uint32_t);
constexpr std::size_t kTextLimit = 64U << 10;

using cbor::MapReader;
using cbor::Reader;
using cbor::Writer;

crypto::Sha256 checksum_of(const crypto::Sha256& before, ByteView size_and_body) {
  return crypto::Sha256Stream().update(before.view()).update(size_and_body).finish();
}

// Appends the record to `to`; gives its checksum.
crypto::Sha256 append_record(Bytes& to, const crypto::Sha256& before, ByteView body) {
  check(body.size() <= kJournalRecordLimit, "a record of the journal is within its limit");
  const std::size_t at = to.size();
  append_le(to, static_cast<std::uint32_t>(body.size()));
  append(to, body);
  const crypto::Sha256 checksum = checksum_of(before, ByteView(to).subspan(at));
  append(to, checksum.view());
  return checksum;
}

// The body of the record at the beginning of `rest`, when it is whole.
std::optional<ByteView> whole_record(ByteView rest, const crypto::Sha256& before) {
  if (rest.size() < kSizeSize) return std::nullopt;
  const std::size_t size = load_le<std::uint32_t>(rest.data());
  if (size > kJournalRecordLimit || rest.size() < kSizeSize + size + crypto::Sha256::kSize) return std::nullopt;
  const crypto::Sha256 stored(rest.subspan(kSizeSize + size, crypto::Sha256::kSize));
  if (stored != checksum_of(before, rest.first(kSizeSize + size))) return std::nullopt;
  return rest.subspan(kSizeSize, size);
}

void write_identity(Writer& writer, const Identity& identity) {
  writer.map(5);
  writer.uint(1).bytes(as_bytes(identity.vendor)).uint(2).bytes(as_bytes(identity.model));
  writer.uint(3).bytes(as_bytes(identity.serial)).uint(4).bytes(as_bytes(identity.firmware));
  writer.uint(5).bytes(as_bytes(identity.wwid));
}

Bytes encode_beginning(const JobBeginning& beginning) {
  Bytes body;
  Writer writer(body);
  writer.map(7U + (beginning.order.is_zero() ? 0U : 1U) + (beginning.health ? 1U : 0U));
  writer.uint(1).uint(kVersion).uint(2).text(beginning.plan_document).uint(3);
  write_identity(writer, beginning.identity);
  writer.uint(4).uint(beginning.size_bytes).uint(5).uint(beginning.physical_block_bytes);
  writer.uint(6).bytes(beginning.secret.view()).uint(7).integer(beginning.time.ns);
  if (!beginning.order.is_zero()) writer.uint(8).bytes(beginning.order.view());
  if (beginning.health) writer.uint(9).bytes(health_bytes(*beginning.health));
  return body;
}

void write_ranges(Writer& writer, const RangeSet& set) {
  writer.array(set.ranges().size());
  for (const Range& range : set.ranges()) writer.array(2).uint(range.offset).uint(range.size_bytes);
}

void write_step(Writer& writer, const StepProgress& step) {
  const std::uint64_t by_firmware =
      (step.firmware ? 1U : 0U) + (step.hidden ? 1U : 0U) + (step.remains ? 1U : 0U) + (step.size_bytes ? 1U : 0U);
  writer.map(10 + (step.began ? 1U : 0U) + (step.ended ? 1U : 0U) + by_firmware);
  if (step.began) writer.uint(1).integer(step.began->ns);
  if (step.ended) writer.uint(2).integer(step.ended->ns);
  writer.uint(3).uint(step.watermark).uint(4).uint(step.done_bytes).uint(5).uint(step.errors);
  writer.uint(6).uint(step.retries);
  const RangeSet* const sets[] = {&step.set_aside, &step.bad, &step.unreadable, &step.mismatching, &step.healed};
  for (std::uint64_t key = 7; const RangeSet* set : sets) {
    writer.uint(key++);
    write_ranges(writer, *set);
  }
  writer.uint(12).uint(step.restarts);
  if (step.firmware) writer.uint(13).bytes(firmware_progress_bytes(*step.firmware));
  if (step.hidden) writer.uint(14).bytes(hidden_removal_bytes(*step.hidden));
  if (step.remains) writer.uint(15).bytes(remains_bytes(*step.remains));
  if (step.size_bytes) writer.uint(16).uint(*step.size_bytes);
}

Bytes encode_progress(const Progress& progress) {
  Bytes body;
  Writer writer(body);
  writer.map(progress.heat ? 3 : 2).uint(1).array(progress.steps.size());
  for (const StepProgress& step : progress.steps) write_step(writer, step);
  writer.uint(2).array(progress.segments.size());
  for (const Segment& segment : progress.segments)
    writer.array(4).integer(segment.began.ns).integer(segment.last.ns).uint(segment.step).uint(segment.offset);
  if (progress.heat) writer.uint(3).array(2).uint(progress.heat->rests).uint(progress.heat->highest_c);
  return body;
}

std::string read_text(Reader& reader) {
  const ByteView bytes = reader.bytes();
  if (bytes.size() > kTextLimit) throw Error(ErrorCode::damaged, "a text is too long");
  return to_string(bytes);
}

Identity read_identity(Reader& reader) {
  Identity identity;
  for (MapReader map(reader); map.next();) switch (map.key()) {
      case 1: identity.vendor = read_text(reader); break;
      case 2: identity.model = read_text(reader); break;
      case 3: identity.serial = read_text(reader); break;
      case 4: identity.firmware = read_text(reader); break;
      case 5: identity.wwid = read_text(reader); break;
      default: map.unknown();
    }
  return identity;
}

JobBeginning decode_beginning(ByteView body) {
  JobBeginning beginning;
  Reader reader(body);
  for (MapReader map(reader); map.next();) switch (map.key()) {
      case 1:
        if (reader.uint() != kVersion) throw Error(ErrorCode::unsupported, "the journal is of a later version");
        break;
      case 2: beginning.plan_document = std::string(reader.text()); break;
      case 3: beginning.identity = read_identity(reader); break;
      case 4: beginning.size_bytes = reader.uint(); break;
      case 5:
        beginning.physical_block_bytes = static_cast<std::uint32_t>(reader.uint_at_most(~std::uint32_t{0}));
        break;
      case 6: beginning.secret = JobSecret(reader.bytes_of(JobSecret::kSize)); break;
      case 7: beginning.time = {reader.integer()}; break;
      case 8:
        beginning.order = crypto::Sha256(reader.bytes_of(crypto::Sha256::kSize));
        if (beginning.order.is_zero()) throw Error(ErrorCode::damaged, "what gave leave is empty");
        break;
      case 9: beginning.health = parse_health(reader.bytes()); break;
      default: map.unknown();
    }
  reader.finish();
  return beginning;
}

RangeSet read_ranges(Reader& reader) {
  RangeSet set;
  const std::uint64_t count = reader.array();
  if (count > RangeSet::kRangeLimit) throw Error(ErrorCode::damaged, "there are too many ranges");
  std::uint64_t least = 0;  // where the next may begin
  for (std::uint64_t i = 0; i < count; ++i) {
    reader.array_of(2);
    const Range range{reader.uint(), reader.uint()};
    if (range.offset < least || range.size_bytes == 0 || range.size_bytes >= ~range.offset)
      throw Error(ErrorCode::damaged, "the ranges are not in their order");
    set.add(range);
    least = range.end() + 1;
  }
  return set;
}

StepProgress read_step(Reader& reader) {
  StepProgress step;
  for (MapReader map(reader); map.next();) switch (map.key()) {
      case 1: step.began = Time{reader.integer()}; break;
      case 2: step.ended = Time{reader.integer()}; break;
      case 3: step.watermark = reader.uint(); break;
      case 4: step.done_bytes = reader.uint(); break;
      case 5: step.errors = reader.uint(); break;
      case 6: step.retries = reader.uint(); break;
      case 7: step.set_aside = read_ranges(reader); break;
      case 8: step.bad = read_ranges(reader); break;
      case 9: step.unreadable = read_ranges(reader); break;
      case 10: step.mismatching = read_ranges(reader); break;
      case 11: step.healed = read_ranges(reader); break;
      case 12: step.restarts = reader.uint(); break;
      case 13: step.firmware = parse_firmware_progress(reader.bytes()); break;
      case 14: step.hidden = parse_hidden_removal(reader.bytes()); break;
      case 15: step.remains = parse_remains(reader.bytes()); break;
      case 16: step.size_bytes = reader.uint(); break;
      default: map.unknown();
    }
  return step;
}

Segment read_segment(Reader& reader) {
  reader.array_of(4);
  Segment segment;
  segment.began = {reader.integer()};
  segment.last = {reader.integer()};
  segment.step = static_cast<std::uint32_t>(reader.uint_at_most(kPlanStepLimit));
  segment.offset = reader.uint();
  return segment;
}

Heat read_heat(Reader& reader) {
  reader.array_of(2);
  const std::uint64_t rests = reader.uint_at_most(kRestLimit);
  return {rests, reader.uint_at_most(kTemperatureLimit_c)};
}

template <class Item, class ReadItem>
std::vector<Item> read_list(Reader& reader, std::size_t limit, ReadItem&& read_item) {
  const std::uint64_t count = reader.array();
  if (count > limit) throw Error(ErrorCode::damaged, "a list is too long");
  std::vector<Item> items;
  for (std::uint64_t i = 0; i < count; ++i) items.push_back(read_item(reader));
  return items;
}

Progress decode_progress(ByteView body) {
  Progress progress;
  Reader reader(body);
  for (MapReader map(reader); map.next();) switch (map.key()) {
      case 1: progress.steps = read_list<StepProgress>(reader, kPlanStepLimit, read_step); break;
      case 2: progress.segments = read_list<Segment>(reader, kSegmentLimit, read_segment); break;
      case 3: progress.heat = read_heat(reader); break;
      default: map.unknown();
    }
  reader.finish();
  return progress;
}

[[noreturn]] void throw_busy(const std::string& path) {
  throw Error(ErrorCode::busy, "another process works on the job of " + path);
}

// A journal that was made anew between opening and locking is another file than the one that is locked.
bool is_the_file_at(const UniqueFd& fd, const std::string& path) {
  struct stat opened, named;
  if (::fstat(fd.get(), &opened) != 0 || ::stat(path.c_str(), &named) != 0) throw_errno("look at", path);
  return opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

UniqueFd open_locked(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) throw_errno("open", path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) throw_busy(path);
    throw_errno("lock", path);
  }
  if (!is_the_file_at(fd, path)) throw_busy(path);
  return fd;
}

}  // namespace

std::vector<std::uint64_t> sizes_of_disk(const JobBeginning& beginning, const Progress* progress) {
  std::vector<std::uint64_t> sizes{beginning.size_bytes};
  if (progress == nullptr) return sizes;
  for (const StepProgress& step : progress->steps) {
    const std::vector<HiddenArea>& areas = step.hidden     ? step.hidden->areas
                                           : step.firmware ? step.firmware->hidden_areas
                                                           : std::vector<HiddenArea>();
    for (const HiddenArea& area : areas)
      if (area.size_bytes > sizes.front()) sizes.push_back(area.size_bytes);
    if (step.size_bytes) sizes = {*step.size_bytes};
  }
  return sizes;
}

Bytes journal_bytes(const JobBeginning& beginning, const Progress* progress) {
  Bytes file = to_bytes(as_bytes(kMagic));
  const crypto::Sha256 first = append_record(file, {}, encode_beginning(beginning));
  if (progress) append_record(file, first, encode_progress(*progress));
  return file;
}

JournalContent parse_journal(ByteView file) {
  if (file.size() < kMagic.size() || as_text(file.first(kMagic.size())) != kMagic)
    throw Error(ErrorCode::damaged, "it is no journal of a wipe");
  JournalContent content;
  content.whole_bytes = kMagic.size();
  for (bool first = true;; first = false) {
    const std::optional<ByteView> body = whole_record(file.subspan(content.whole_bytes), content.last_checksum);
    if (!body && first) throw Error(ErrorCode::damaged, "the journal has no whole beginning");
    if (!body) return content;
    if (first)
      content.beginning = decode_beginning(*body);
    else
      content.progress = decode_progress(*body);
    const std::size_t record_size = kSizeSize + body->size() + crypto::Sha256::kSize;
    content.whole_bytes += record_size;
    content.last_checksum =
        crypto::Sha256(file.subspan(content.whole_bytes - crypto::Sha256::kSize, crypto::Sha256::kSize));
  }
}

Journal::Journal(std::string path, UniqueFd fd, JournalContent content)
    : path_(std::move(path)), fd_(std::move(fd)), content_(std::move(content)) {}

Journal Journal::create(const std::string& path, const JobBeginning& beginning) {
  if (::access(path.c_str(), F_OK) == 0) throw Error(ErrorCode::refused, path + " is there already");
  write_file_durably(path, journal_bytes(beginning, nullptr));
  return open(path);
}

Journal Journal::open(const std::string& path) {
  UniqueFd fd = open_locked(path);
  JournalContent content = in_context(path, [&] { return parse_journal(read_file(path, kJournalLimit)); });
  // What follows was being written when the power went; a record appended after it would not be found.
  if (::ftruncate(fd.get(), static_cast<off_t>(content.whole_bytes)) != 0) throw_errno("cut off the end of", path);
  if (::fsync(fd.get()) != 0) throw_errno("flush", path);
  return Journal(path, std::move(fd), std::move(content));
}

void Journal::append(const Progress& progress) {
  Bytes record;
  const crypto::Sha256 checksum = append_record(record, content_.last_checksum, encode_progress(progress));
  if (content_.whole_bytes + record.size() > kJournalRewriteBytes) return rewrite(progress);
  pwrite_full(fd_.get(), record, content_.whole_bytes, path_);
  if (::fdatasync(fd_.get()) != 0) throw_errno("flush", path_);
  content_.whole_bytes += record.size();
  content_.last_checksum = checksum;
  content_.progress = progress;
}

void Journal::rewrite_through_place(const Progress& progress) {
  const Bytes file = journal_bytes(content_.beginning, &progress);
  UniqueFd fd = place_->make();
  pwrite_full(fd.get(), file, 0, path_);
  if (::fsync(fd.get()) != 0) throw_errno("flush", path_);
  place_->take_its_place();
  fd_ = std::move(fd);
  content_ = parse_journal(file);
}

void Journal::rewrite(const Progress& progress) {
  if (place_ != nullptr) return rewrite_through_place(progress);
  write_file_durably(path_, journal_bytes(content_.beginning, &progress));
  *this = open(path_);
}

}  // namespace qcbak::wipe
