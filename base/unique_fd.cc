#include "base/unique_fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/random.h"

namespace qcbak {

UniqueFd::~UniqueFd() {
  if (fd_ >= 0) ::close(fd_);
}

void UniqueFd::close(std::string_view object) {
  const int fd = release();
  if (fd >= 0 && ::close(fd) != 0 && errno != EINTR) throw_errno("close", object);
}

std::size_t read_full(int fd, MutableByteView into, std::string_view object) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t n = ::read(fd, into.data() + done, into.size() - done);
    if (n == 0) break;
    if (n < 0) {
      if (errno == EINTR) continue;
      throw_errno("read", object);
    }
    done += static_cast<std::size_t>(n);
  }
  return done;
}

std::size_t pread_full(int fd, MutableByteView into, std::uint64_t offset, std::string_view object) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t n = ::pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (n == 0) break;
    if (n < 0) {
      if (errno == EINTR) continue;
      throw_errno("read", object);
    }
    done += static_cast<std::size_t>(n);
  }
  return done;
}

void write_full(int fd, ByteView bytes, std::string_view object) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      throw_errno("write", object);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void pwrite_full(int fd, ByteView bytes, std::uint64_t offset, std::string_view object) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0) {
      if (errno == EINTR) continue;
      throw_errno("write", object);
    }
    offset += static_cast<std::uint64_t>(n);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

Bytes read_file(const std::string& path, std::size_t limit_bytes) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw_errno("open", path);
  Bytes bytes;
  constexpr std::size_t kStep = 64 * 1024;
  for (;;) {
    const std::size_t at = bytes.size();
    bytes.resize(at + kStep);
    const std::size_t n = read_full(fd.get(), MutableByteView(bytes).subspan(at), path);
    bytes.resize(at + n);
    if (bytes.size() > limit_bytes)
      throw Error(ErrorCode::failed, path + " is larger than the " + std::to_string(limit_bytes) + " bytes expected");
    if (n < kStep) return bytes;
  }
}

void rename_durably(const std::string& from, const std::string& to) {
  const std::size_t slash = to.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : slash == 0 ? "/" : to.substr(0, slash);
  if (::rename(from.c_str(), to.c_str()) != 0) throw_errno("rename to", to);
  const UniqueFd parent(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent) throw_errno("open", directory);
  if (::fsync(parent.get()) != 0) throw_errno("flush", directory);
}

void write_file_durably(const std::string& path, ByteView bytes) {
  std::array<std::byte, 8> nonce;
  SystemRandom().fill(nonce);
  const std::string temporary = path + ".new-" + to_hex(nonce);
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) throw_errno("create", temporary);
  try {
    write_full(fd.get(), bytes, temporary);
    if (::fsync(fd.get()) != 0) throw_errno("flush", temporary);
    fd.close(temporary);
    rename_durably(temporary, path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

void make_directories(const std::string& path) {
  for (std::size_t at = 1; at <= path.size(); ++at) {
    if (at < path.size() && path[at] != '/') continue;
    const std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) throw_errno("create directory", part);
  }
}

}  // namespace qcbak
