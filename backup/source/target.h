// Writing entries below a target directory, and nowhere else: every path is resolved with openat2(RESOLVE_BENEATH |
// RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS), component by component with O_NOFOLLOW where the kernel has none, so no
// name, symbolic link or hard link of a hostile snapshot leads outside. Paths are resolved anew at each call: nothing is
// written through a descriptor of a directory that was moved away since.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backup/repository/metadata.h"
#include "base/unique_fd.h"

namespace qcbak::source {

// A relative path: components joined by '/', none empty, ".", "..", or with NUL or '/' inside. Throws Error(damaged).
void check_relative_path(std::string_view path);
void check_component(std::string_view name);

// How paths are resolved: by the kernel (Linux 5.6) or here; the first falls back on the second where it is missing.
enum class Resolution { openat2, components };

class Target {
 public:
  // Opens `directory`, creating it (mode 0700) when it is missing; its parents must exist or be creatable.
  explicit Target(const std::string& directory, Resolution resolution = Resolution::openat2);
  const std::string& path() const { return path_; }

  // Thread-safe, all of them. `path` is relative; its parents must exist: Error(not_found) when one does not,
  // Error(refused) when one is a symbolic link. Where a name has to be unlinked or a directory below the target
  // changed, and the immutable or append-only flag forbids it, the flag is cleared.
  UniqueFd open_directory(std::string_view path) const;  // "" is the target itself
  // An existing real directory is fine, and false is returned. Mode 0700 until metadata.
  bool make_directory(std::string_view path);
  // Opens for reading and writing. With `replace`, whatever other non-directory has the name is unlinked first and the
  // file is created anew (O_EXCL, mode 0600); without, an existing regular file with one link keeps its content, but is
  // closed to others (mode 0600) until metadata. What cannot be reused is replaced. Error(refused) for a directory.
  enum class Existing { replace, reuse };
  UniqueFd create_file(std::string_view path, Existing existing);
  // Sets what acts only on content written later: kContentFlags, and btrfs' choice of compression. For a file still
  // empty; what this file system does not take, apply_metadata() reports.
  void prepare_content(int fd, const repository::Metadata& metadata);
  UniqueFd open_existing_file(std::string_view path) const;  // read-only; Error(not_found), Error(differs) if no regular file
  // These replace a non-directory that has the name; Error(refused) for a directory.
  void make_symlink(std::string_view path, ByteView target);
  void make_special(std::string_view path, const repository::Metadata& metadata);  // FIFO, socket, device
  // Before the metadata of `existing` is applied: an immutable file takes no further name.
  void make_hard_link(std::string_view path, std::string_view existing);
  // Removes the name, a directory with all below it; fine when there is none. Never crosses into another file system:
  // Error(refused) where one is mounted.
  void remove_tree(std::string_view path);

  // Owner, mode, attributes, ACLs, capabilities, times, flags, in the order that keeps each (chown clears set-id bits
  // and capabilities; immutable goes last). What this process or file system is not permitted to set is reported, not
  // thrown; set-id bits are withheld when the owner they would act for could not be set. `path` may be "". Error(differs)
  // when the entry is of another type. Through a descriptor: files and directories only.
  struct Shortfall {
    std::string what;    // "owner", "attribute user.x", "flags"
    std::string reason;  // errno text
  };
  std::vector<Shortfall> apply_metadata(std::string_view path, const repository::Metadata& metadata);
  std::vector<Shortfall> apply_metadata(int fd, std::string_view path, const repository::Metadata& metadata);
  // What differs between the entry on disk and `metadata`, in words ("mode 0644, expected 0600"); empty: nothing.
  // Compares everything apply_metadata sets, the type, the size, the link target and the device number. `path` may be "".
  std::vector<std::string> compare_metadata(std::string_view path, const repository::Metadata& expected) const;

 private:
  struct Place;
  Place place_of(std::string_view path) const;
  UniqueFd open_beneath(std::string_view path, int flags, unsigned mode = 0) const;
  UniqueFd walk(std::string_view path, int flags, unsigned mode) const;
  std::string shown(std::string_view path) const;
  [[noreturn]] void fail(std::string_view action, std::string_view path, int errno_value) const;
  bool unprotect(const Place& place) const;
  bool unprotect_directory(const Place& place) const;
  bool unlink(const Place& place, std::string_view path) const;
  template <class Make>
  void make(std::string_view path, std::string_view action, Make make);
  void empty_directories(std::string_view path, std::uint64_t file_system);

  std::string path_;
  UniqueFd root_;
  Resolution resolution_;
};

}  // namespace qcbak::source
