// Writing entries below a target directory, and nowhere else: every path is resolved with openat2(RESOLVE_BENEATH |
// RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS), component by component with O_NOFOLLOW where the kernel has none, so no
// name, symbolic link or hard link of a hostile snapshot leads outside.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backup/repository/metadata.h"
#include "base/unique_fd.h"

namespace qcbak::source {

// A relative path: components joined by '/', none empty, ".", "..", or with NUL or '/' inside. Throws Error(damaged).
void check_relative_path(std::string_view path);
void check_component(std::string_view name);

class Target {
 public:
  // Opens `directory`, creating it (mode 0700) when it is missing; its parents must exist or be creatable.
  explicit Target(const std::string& directory);
  const std::string& path() const { return path_; }

  // Thread-safe, all of them. `path` is relative; its parents must exist.
  UniqueFd open_directory(std::string_view path) const;  // "" is the target itself
  void make_directory(std::string_view path);             // an existing real directory is fine; mode 0700 until metadata
  // Opens for reading and writing. With `replace`, whatever other non-directory has the name is unlinked first and the
  // file is created anew (O_EXCL, mode 0600); without, an existing regular file with one link is opened as it is.
  enum class Existing { replace, reuse };
  UniqueFd create_file(std::string_view path, Existing existing);
  UniqueFd open_existing_file(std::string_view path) const;  // read-only; Error(not_found), Error(differs) if no regular file
  void make_symlink(std::string_view path, ByteView target);
  void make_special(std::string_view path, const repository::Metadata& metadata);  // FIFO, socket, device
  void make_hard_link(std::string_view path, std::string_view existing);
  // Removes the name, a directory with all below it. Never crosses into another file system.
  void remove_tree(std::string_view path);

  // Owner, mode, attributes, ACLs, capabilities, times, flags, in the order that keeps each (chown clears set-id bits
  // and capabilities; immutable goes last). What this process is not permitted to set is reported, not thrown.
  struct Shortfall {
    std::string what;    // "owner", "attribute user.x", "flags"
    std::string reason;  // errno text
  };
  std::vector<Shortfall> apply_metadata(std::string_view path, const repository::Metadata& metadata);
  std::vector<Shortfall> apply_metadata(int fd, std::string_view path, const repository::Metadata& metadata);
  // What differs between the entry on disk and `metadata`, in words ("mode 0644, expected 0600"); empty: nothing.
  // Compares everything apply_metadata sets, the type, the size, the link target and the device number.
  std::vector<std::string> compare_metadata(std::string_view path, const repository::Metadata& expected) const;

 private:
  std::string path_;
  UniqueFd root_;
};

}  // namespace qcbak::source
