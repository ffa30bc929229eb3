// A directory for one test, gone after it.
#pragma once

#include <string>
#include <string_view>

namespace qcbak::tests {

class TemporaryDirectory {
 public:
  TemporaryDirectory();  // in $TMPDIR or /tmp
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();  // with all that is in it, immutable files too

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

}  // namespace qcbak::tests
