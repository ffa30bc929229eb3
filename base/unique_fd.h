// Ownership of a file descriptor, and whole reads and writes through one.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string_view>
#include <utility>

#include "base/bytes.h"

namespace qcbak {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd();

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  // Closes now and reports what close() says; a destructor cannot. `object` names it in the error.
  void close(std::string_view object);
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

// Reads exactly `into.size()` bytes unless the end comes first; returns the bytes read. EINTR is retried.
std::size_t read_full(int fd, MutableByteView into, std::string_view object);
std::size_t pread_full(int fd, MutableByteView into, std::uint64_t offset, std::string_view object);
// Writes everything or throws; a short write is continued.
void write_full(int fd, ByteView bytes, std::string_view object);
void pwrite_full(int fd, ByteView bytes, std::uint64_t offset, std::string_view object);
// The whole of a file, at most `limit_bytes` (more is an error).
Bytes read_file(const std::string& path, std::size_t limit_bytes);
// Writes `path` anew through a temporary file beside it, fsyncs file and directory, renames. Mode 0600.
void write_file_durably(const std::string& path, ByteView bytes);
// Renames within a directory, and fsyncs that.
void rename_durably(const std::string& from, const std::string& to);
// mkdir -p with mode 0700.
void make_directories(const std::string& path);

}  // namespace qcbak
