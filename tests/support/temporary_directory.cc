#include "tests/support/temporary_directory.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "tests/support/run_command.h"

namespace qcbak::tests {

TemporaryDirectory::TemporaryDirectory() {
  const char* base = std::getenv("TMPDIR");
  path_ = std::string(base != nullptr ? base : "/tmp") + "/qcbak-test-XXXXXX";
  if (::mkdtemp(path_.data()) == nullptr) throw_errno("create", path_);
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
  if (!error) return;
  try {
    run_command({"chattr", "-R", "-f", "-i", "-a", path_});
  } catch (const Error&) {
  }
  std::filesystem::remove_all(path_, error);
  if (error) std::fprintf(stderr, "%s is left behind: %s\n", path_.c_str(), error.message().c_str());
}

}  // namespace qcbak::tests
