// Reading the entries of a live file system, relative to directory descriptors and never through a symbolic link.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/repository/metadata.h"
#include "base/unique_fd.h"

namespace qcbak::source {

// The flags of FS_IOC_GETFLAGS that are kept: those that chattr(1) can set and that mean the same on another inode.
// secrm, unrm, compr, sync, immutable, append, nodump, noatime, nocomp, journal-data, notail, dirsync, topdir, nocow,
// projinherit. Left out: what the file system sets by itself (extents, index, huge, inline data, encrypt, verity), what
// hangs on the device below (dax), and casefold, which only an empty directory takes.
inline constexpr std::uint32_t kRestorableFlags = 0x2083'C4FF;
// Of these, the ones that forbid every other change, so that they are set last and cleared first …
inline constexpr std::uint32_t kProtectingFlags = 0x0000'0030;
// … and those that act only on what is written later, so that a file has them before its content.
inline constexpr std::uint32_t kContentFlags = 0x0080'0404;

// Every attribute is kept, save "security.evm": a keyed checksum over this inode on this machine, which the kernel
// makes anew and refuses to take from another. ("security.ima" may be a vendor's signature of the content: kept.
// "trusted.overlay.*" is seen only below an overlay, where its meaning hangs on it: kept. "system.nfs4_acl" is the only
// form in which NFS gives its access list: kept.)
bool is_kept_attribute(std::string_view name);

std::string working_directory();
std::string host_name();
// Where an entry that somebody names lies: absolute, links in the directories above it followed, its own name as it is.
// When that cannot be found out, the path as it stands, made absolute.
std::string resolve_path(const std::string& given);

// One statx(2). Equal fingerprints mean that the file was not touched: it need not be opened.
struct Status {
  repository::Metadata metadata;  // all but flags, attributes and link_target
  std::uint64_t device = 0;       // of the file system it lies on: major << 32 | minor
  std::uint64_t inode = 0;
  std::int64_t ctime_s = 0;
  std::uint32_t ctime_ns = 0;
  std::uint64_t allocated_bytes = 0;  // less than size_bytes: the file has holes
};

// Names in the directory without "." and "..", in ascending order of bytes. Reads from the start, whatever was read before.
std::vector<std::string> list_directory(int directory_fd, std::string_view path);
// Nothing when the name is no longer there. `path` is for messages only, here and below.
std::optional<Status> status_at(int directory_fd, const char* name, std::string_view path);
Status status_of(int fd, std::string_view path);
UniqueFd open_directory_at(int directory_fd, const char* name, std::string_view path);
// O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOATIME where permitted. Both throw Error(not_found) when the entry vanished or is
// now of a kind that cannot be opened so; whether it still is a regular file, status_of() tells.
UniqueFd open_file_at(int directory_fd, const char* name, std::string_view path);

// Adds flags and extended attributes to `metadata` through an open descriptor of a file or directory …
void capture_details(int fd, std::string_view path, repository::Metadata& metadata);
// … or, for what must not or cannot be opened (symlinks, FIFOs, sockets, devices): link target and attributes by name,
// through O_PATH and /proc. Throws Error(not_found) when the entry vanished or is no longer of `metadata.type`, and
// Error(unsupported), with all but the attributes filled in, where /proc is not mounted.
void capture_details_at(int directory_fd, const char* name, std::string_view path, repository::Metadata& metadata);

// The data extents of a file, in ascending order, found by SEEK_DATA/SEEK_HOLE; everything between is a hole. One extent
// for the whole file where the file system does not know holes; from the kExtentLimit-th on, one for all the rest. Leaves
// the descriptor's offset at 0.
inline constexpr std::size_t kExtentLimit = std::size_t{1} << 20;
struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};
std::vector<Extent> data_extents(int fd, std::uint64_t size_bytes, std::string_view path);

}  // namespace qcbak::source
