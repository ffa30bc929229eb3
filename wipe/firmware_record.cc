#include "wipe/firmware_record.h"

#include <limits>

#include "base/cbor.h"
#include "base/error.h"
#include "wipe/scsi.h"

namespace qcbak::wipe {
namespace {

using cbor::MapReader;
using cbor::Reader;
using cbor::Writer;

constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kHiddenKinds = 3;
constexpr std::size_t kCommandBytesLimit = 64;

[[noreturn]] void damaged(const char* what) { throw Error(ErrorCode::damaged, what); }

void write_command(Writer& writer, const CommandRecord& record) {
  const CommandResult& result = record.result;
  writer.array(11).bytes(record.command).uint(record.times).integer(record.first.ns).integer(record.last.ns);
  writer.integer(result.error).uint(result.status).uint(result.host_status).uint(result.driver_status);
  writer.bytes(result.sense).uint(result.nvme_status).uint(result.nvme_result);
}

template <class Integer>
Integer read_uint(Reader& reader) {
  return static_cast<Integer>(reader.uint_at_most(std::numeric_limits<Integer>::max()));
}

Bytes read_bytes(Reader& reader, std::size_t limit) {
  const ByteView bytes = reader.bytes();
  if (bytes.size() > limit) damaged("a string of bytes is too long");
  return to_bytes(bytes);
}

int read_error(Reader& reader) {
  constexpr std::int64_t kErrnoLimit = 4095;
  const std::int64_t error = reader.integer();
  if (error < 0 || error > kErrnoLimit) damaged("a number is no errno");
  return static_cast<int>(error);
}

CommandRecord read_command(Reader& reader) {
  reader.array_of(11);
  CommandRecord record;
  record.command = read_bytes(reader, kCommandBytesLimit);
  record.times = read_uint<std::uint32_t>(reader);
  record.first = {reader.integer()};
  record.last = {reader.integer()};
  CommandResult& result = record.result;
  result.error = read_error(reader);
  result.status = read_uint<std::uint8_t>(reader);
  result.host_status = read_uint<std::uint16_t>(reader);
  result.driver_status = read_uint<std::uint16_t>(reader);
  result.sense = read_bytes(reader, kSenseLimit);
  result.nvme_status = read_uint<std::uint16_t>(reader);
  result.nvme_result = read_uint<std::uint32_t>(reader);
  return record;
}

void write_hidden(Writer& writer, const std::vector<HiddenArea>& areas) {
  writer.array(areas.size());
  for (const HiddenArea& area : areas)
    writer.array(4)
        .uint(static_cast<std::uint64_t>(area.kind))
        .uint(area.hidden_bytes)
        .uint(area.size_bytes)
        .boolean(area.removed);
}

void write_commands(Writer& writer, const std::vector<CommandRecord>& commands) {
  writer.array(commands.size());
  for (const CommandRecord& record : commands) write_command(writer, record);
}

HiddenArea read_hidden(Reader& reader) {
  reader.array_of(4);
  HiddenArea area;
  area.kind = static_cast<HiddenKind>(reader.uint_at_most(kHiddenKinds - 1));
  area.hidden_bytes = reader.uint();
  area.size_bytes = reader.uint();
  area.removed = reader.boolean();
  return area;
}

std::string read_signature(Reader& reader) {
  constexpr std::size_t kSignatureTextLimit = 64;
  std::string text(reader.text());
  if (text.size() > kSignatureTextLimit) damaged("a signature's name is too long");
  return text;
}

template <class Value>
Value read_enum(Reader& reader, Value last) {
  return static_cast<Value>(reader.uint_at_most(static_cast<std::uint64_t>(last)));
}

void require_version(Reader& reader) {
  if (reader.uint() != kVersion) throw Error(ErrorCode::unsupported, "the job by firmware is of a later version");
}

void require_all(std::uint64_t keys, std::uint64_t expected) {
  if (keys != expected) damaged("a job by firmware lacks a part");
}

template <class Item, class Read>
std::vector<Item> read_items(Reader& reader, std::size_t limit, Read&& read) {
  const std::uint64_t count = reader.array();
  if (count > limit) damaged("a list is too long");
  std::vector<Item> items;
  for (std::uint64_t i = 0; i < count; ++i) items.push_back(read(reader));
  return items;
}

FirmwareMethod read_method(Reader& reader) {
  const std::string name(reader.text());
  try {
    const FirmwareMethod method = method_of_name(name);
    if (method != FirmwareMethod::purge_auto) return method;
  } catch (const Error&) {
    // Said below: the name is not the caller's.
  }
  damaged("the method is none");
}

}  // namespace

Bytes firmware_progress_bytes(const FirmwareProgress& progress) {
  Bytes bytes;
  Writer writer(bytes);
  writer.map(10).uint(1).uint(kVersion).uint(2).text(method_name(progress.method));
  writer.uint(3).uint(static_cast<std::uint64_t>(progress.phase)).uint(4).uint(progress.attempt);
  writer.uint(5).array(progress.marker_offsets.size());
  for (const std::uint64_t offset : progress.marker_offsets) writer.uint(offset);
  writer.uint(6);
  write_hidden(writer, progress.hidden_areas);
  writer.uint(7);
  write_commands(writer, progress.commands);
  writer.uint(8).uint(static_cast<std::uint64_t>(progress.acceptance));
  writer.uint(9).uint(static_cast<std::uint64_t>(progress.completion));
  writer.uint(10).boolean(progress.password_remains);
  return bytes;
}

FirmwareProgress parse_firmware_progress(ByteView bytes) {
  FirmwareProgress progress;
  std::uint64_t keys = 0;
  Reader reader(bytes);
  for (MapReader map(reader); map.next(); ++keys) switch (map.key()) {
      case 1: require_version(reader); break;
      case 2: progress.method = read_method(reader); break;
      case 3: progress.phase = read_enum(reader, FirmwarePhase::completed); break;
      case 4: progress.attempt = read_uint<std::uint32_t>(reader); break;
      case 5:
        progress.marker_offsets =
            read_items<std::uint64_t>(reader, kMarkerLimit, [](Reader& from) { return from.uint(); });
        break;
      case 6: progress.hidden_areas = read_items<HiddenArea>(reader, kHiddenKinds, read_hidden); break;
      case 7: progress.commands = read_items<CommandRecord>(reader, kTranscriptLimit, read_command); break;
      case 8: progress.acceptance = read_enum(reader, Acceptance::refused); break;
      case 9: progress.completion = read_enum(reader, Completion::failed); break;
      case 10: progress.password_remains = reader.boolean(); break;
      default: map.unknown();
    }
  reader.finish();
  require_all(keys, 10);
  return progress;
}

Bytes hidden_removal_bytes(const HiddenRemoval& removal) {
  Bytes bytes;
  Writer writer(bytes);
  writer.map(3).uint(1).uint(kVersion).uint(2);
  write_hidden(writer, removal.areas);
  writer.uint(3);
  write_commands(writer, removal.commands);
  return bytes;
}

HiddenRemoval parse_hidden_removal(ByteView bytes) {
  HiddenRemoval removal;
  std::uint64_t keys = 0;
  Reader reader(bytes);
  for (MapReader map(reader); map.next(); ++keys) switch (map.key()) {
      case 1: require_version(reader); break;
      case 2: removal.areas = read_items<HiddenArea>(reader, kHiddenKinds, read_hidden); break;
      case 3: removal.commands = read_items<CommandRecord>(reader, kTranscriptLimit, read_command); break;
      default: map.unknown();
    }
  reader.finish();
  require_all(keys, 3);
  return removal;
}

Bytes remains_bytes(const Remains& remains) {
  Bytes bytes;
  Writer writer(bytes);
  writer.map(7).uint(1).uint(kVersion).uint(2).uint(remains.markers_changed).uint(3).uint(remains.markers_unchanged);
  writer.uint(4).uint(remains.markers_unreadable).uint(5).array(remains.histogram.size());
  for (const std::uint64_t count : remains.histogram) writer.uint(count);
  writer.uint(6).uint(remains.sampled_bytes).uint(7).array(remains.signatures.size());
  for (const std::string& signature : remains.signatures) writer.text(signature);
  return bytes;
}

Remains parse_remains(ByteView bytes) {
  Remains remains;
  std::uint64_t keys = 0;
  Reader reader(bytes);
  for (MapReader map(reader); map.next(); ++keys) switch (map.key()) {
      case 1: require_version(reader); break;
      case 2: remains.markers_changed = reader.uint_at_most(kMarkerLimit); break;
      case 3: remains.markers_unchanged = reader.uint_at_most(kMarkerLimit); break;
      case 4: remains.markers_unreadable = reader.uint_at_most(kMarkerLimit); break;
      case 5:
        reader.array_of(remains.histogram.size());
        for (std::uint64_t& count : remains.histogram) count = reader.uint();
        break;
      case 6: remains.sampled_bytes = reader.uint(); break;
      case 7: remains.signatures = read_items<std::string>(reader, kSignatureLimit, read_signature); break;
      default: map.unknown();
    }
  reader.finish();
  require_all(keys, 7);
  return remains;
}

}  // namespace qcbak::wipe
