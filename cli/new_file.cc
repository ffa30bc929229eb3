#include "cli/new_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "cli/messages.h"

namespace qcbak::cli {

bool exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

NewFile::NewFile(const std::string& path, mode_t mode)
    : path_(path), fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)) {
  if (!fd_ && errno == EEXIST)
    throw Error(ErrorCode::usage, say("{} exists already", printable(path)))
        .with_hint(std::string(tr("name a new file with -o")));
  if (!fd_) throw_errno("make", printable(path));
}

NewFile::~NewFile() {
  if (!kept_) ::unlink(path_.c_str());
}

void NewFile::write(ByteView bytes) { write_full(fd_.get(), bytes, path_); }

void NewFile::keep() {
  if (::fsync(fd_.get()) != 0) throw_errno("flush", printable(path_));
  fd_.close(path_);
  kept_ = true;
}

}  // namespace qcbak::cli
