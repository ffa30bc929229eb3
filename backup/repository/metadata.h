// What the format keeps of a file-system entry beside its name and content. docs/format.md "Entries".
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace qcbak::repository {

enum class EntryType : std::uint8_t {
  file = 1,
  directory = 2,
  symlink = 3,
  fifo = 4,
  socket = 5,
  char_device = 6,
  block_device = 7,
};

struct ExtendedAttribute {
  Bytes name;  // with its namespace: "user.mime_type", "system.posix_acl_access", "security.capability"
  Bytes value;
  friend bool operator==(const ExtendedAttribute&, const ExtendedAttribute&) = default;
};

struct Metadata {
  EntryType type = EntryType::file;
  std::uint32_t mode = 0;  // the low 12 bits: permissions, set-id, sticky
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int64_t mtime_s = 0;  // since 1970, may be negative
  std::uint32_t mtime_ns = 0;
  std::uint64_t size_bytes = 0;   // files: apparent size, with holes
  std::uint64_t device = 0;       // char and block devices: major << 32 | minor
  std::uint64_t link_count = 1;   // not for directories
  std::uint64_t link_device = 0;  // when link_count > 1: which inode this is a name of
  std::uint64_t link_inode = 0;
  std::uint32_t flags = 0;  // FS_IOC_GETFLAGS, those that can be set again (kRestorableFlags)
  std::vector<ExtendedAttribute> attributes;  // in ascending order of names; POSIX ACLs and capabilities among them
  Bytes link_target;                          // symlinks
  friend bool operator==(const Metadata&, const Metadata&) = default;
};

}  // namespace qcbak::repository
