#include "cli/entries.h"

#include <limits>

namespace qcbak::cli {

using repository::EntryType;

std::string_view type_name(EntryType type) {
  switch (type) {
    case EntryType::file: return "file";
    case EntryType::directory: return "directory";
    case EntryType::symlink: return "symlink";
    case EntryType::fifo: return "fifo";
    case EntryType::socket: return "socket";
    case EntryType::char_device: return "character_device";
    case EntryType::block_device: return "block_device";
  }
  return "unknown";
}

std::string mode_text(const repository::Metadata& metadata) {
  constexpr std::string_view kTypes = "?-dlpscb";
  std::string text(1, kTypes[static_cast<std::size_t>(metadata.type)]);
  const std::uint32_t mode = metadata.mode;
  const auto triple = [&](unsigned shift, std::uint32_t special, char letter) {
    text += (mode >> shift & 4U) != 0 ? 'r' : '-';
    text += (mode >> shift & 2U) != 0 ? 'w' : '-';
    const bool execute = (mode >> shift & 1U) != 0;
    const bool is_special = (mode & special) != 0;
    const char without = static_cast<char>(letter - 'a' + 'A');
    text += is_special ? (execute ? letter : without) : (execute ? 'x' : '-');
  };
  triple(6, 04000, 's');
  triple(3, 02000, 's');
  triple(0, 01000, 't');
  return text;
}

Time modified(const repository::Metadata& metadata) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / kSecond - 1;
  const std::int64_t seconds = std::max(-kMost, std::min(kMost, metadata.mtime_s));
  return {seconds * kSecond + metadata.mtime_ns};
}

std::string owner_name(const std::vector<std::pair<std::uint32_t, Bytes>>& names, std::uint32_t id) {
  for (const auto& [number, name] : names)
    if (number == id) return printable(name);
  return std::to_string(id);
}

Json entry_json(const std::string& path, const repository::Entry& entry, const repository::SnapshotBody& body) {
  const repository::Metadata& metadata = entry.metadata;
  Json object;
  put_name(object, "path", path);
  object["type"] = type_name(metadata.type);
  object["mode"] = metadata.mode;
  object["uid"] = metadata.uid;
  object["gid"] = metadata.gid;
  object["user"] = owner_name(body.users, metadata.uid);
  object["group"] = owner_name(body.groups, metadata.gid);
  object["size"] = metadata.size_bytes;
  object["mtime"] = format_time(modified(metadata));
  object["mtime_s"] = metadata.mtime_s;
  object["mtime_ns"] = metadata.mtime_ns;
  object["links"] = metadata.link_count;
  if (entry.sha256) object["sha256"] = entry.sha256->hex();
  if (metadata.type == EntryType::symlink) put_name(object, "target", metadata.link_target);
  return object;
}

}  // namespace qcbak::cli
