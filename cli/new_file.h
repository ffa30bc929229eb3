// A file that a command makes anew.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/bytes.h"
#include "base/unique_fd.h"

namespace qcbak::cli {

bool exists(const std::string& path);  // also a link that leads nowhere

// Taken away again unless it is kept.
class NewFile {
 public:
  static constexpr mode_t kOwnerOnly = 0600;
  static constexpr mode_t kForAll = 0644;

  // Error(usage) when there is a file of this name.
  NewFile(const std::string& path, mode_t mode);
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile();
  void write(ByteView bytes);
  void keep();  // durable from then on

 private:
  std::string path_;
  UniqueFd fd_;
  bool kept_ = false;
};

}  // namespace qcbak::cli
