// Reading the entries of a live file system, relative to directory descriptors and never through a symbolic link.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backup/repository/metadata.h"
#include "base/unique_fd.h"

namespace qcbak::source {

// One statx(2). Equal fingerprints mean that the file was not touched: it need not be opened.
struct Status {
  repository::Metadata metadata;  // all but flags, attributes and link_target
  std::uint64_t device = 0;       // st_dev of the file system it lies on
  std::uint64_t inode = 0;
  std::int64_t ctime_s = 0;
  std::uint32_t ctime_ns = 0;
  std::uint64_t allocated_bytes = 0;  // less than size_bytes: the file has holes
};

// Names in the directory without "." and "..", in ascending order of bytes.
std::vector<std::string> list_directory(int directory_fd, std::string_view path);
// Nothing when the name is no longer there. `path` is for messages only, here and below.
std::optional<Status> status_at(int directory_fd, const char* name, std::string_view path);
Status status_of(int fd, std::string_view path);
UniqueFd open_directory_at(int directory_fd, const char* name, std::string_view path);
// O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOATIME where permitted. Throws Error(not_found) when it vanished.
UniqueFd open_file_at(int directory_fd, const char* name, std::string_view path);

// Adds flags and extended attributes to `metadata` through an open descriptor of a file or directory …
void capture_details(int fd, std::string_view path, repository::Metadata& metadata);
// … or, for what must not or cannot be opened (symlinks, FIFOs, sockets, devices): link target and attributes by name.
void capture_details_at(int directory_fd, const char* name, std::string_view path, repository::Metadata& metadata);

// The data extents of a file, in ascending order, found by SEEK_DATA/SEEK_HOLE; everything between is a hole. One extent
// for the whole file where the file system does not know holes.
struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};
std::vector<Extent> data_extents(int fd, std::uint64_t size_bytes, std::string_view path);

}  // namespace qcbak::source
