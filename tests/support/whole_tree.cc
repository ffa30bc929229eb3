#include "tests/support/whole_tree.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/unique_fd.h"
#include "tests/support/run_command.h"

namespace qcbak::tests {
namespace {

void make_socket(const std::string& path) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  check(path.size() < sizeof address.sun_path, "the path of a socket is short");
  std::copy(path.begin(), path.end(), address.sun_path);
  if (::bind(fd.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof address) != 0) throw_errno("bind", path);
}

void make_sparse(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd || ::ftruncate(fd.get(), 64 << 20) != 0) throw_errno("create", path);
  pwrite_full(fd.get(), Bytes(128 * 1024, std::byte{'d'}), 1 << 20, path);
  pwrite_full(fd.get(), Bytes(1, std::byte{'d'}), 40 << 20, path);
}

std::int64_t allocated_bytes(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  // What is not written yet may not be allocated yet.
  if (!fd || ::fsync(fd.get()) != 0 || ::fstat(fd.get(), &status) != 0) throw_errno("read status of", path);
  return std::int64_t{status.st_blocks} * 512;
}

}  // namespace

void in_directory(const std::string& directory, const std::string& script) {
  run_or_throw({"sh", "-euc", "cd \"$0\"; " + script, directory});
}

std::string listing(const std::string& directory, const std::string& command) {
  return run_or_throw({"sh", "-euc", "cd \"$0\"; " + command, directory});
}

void set_mtime(const std::string& path, std::int64_t seconds, long nanoseconds) {
  const struct timespec times[2] = {{0, UTIME_OMIT}, {static_cast<time_t>(seconds), nanoseconds}};
  if (::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) throw_errno("set the time of", path);
}

void make_whole_tree(const std::string& root) {
  make_directories(root);
  in_directory(root, R"sh(
    printf content > plain; : > empty
    mkdir -p directory/deep/deeper sticky setgid private; chmod 1777 sticky; chmod 2750 setgid; chmod 0 private
    printf '#!/bin/sh' > program; chown 1234:4321 program; chmod 6755 program
    printf secret > unreadable; chmod 0 unreadable
    printf x > acl; setfacl -m u:1:rwx,g:2:r,m::rx acl
    printf x > acl_setgid; chmod 2770 acl_setgid; setfacl -m u:1:rwx acl_setgid
    mkdir inheriting; setfacl -m u:5:rwx inheriting; setfacl -d -m u:3:rx,g:4:rw inheriting
    printf x > inheriting/with; printf x > inheriting/without; setfacl -b inheriting/without
    mkdir inheriting/below; setfacl -bk inheriting/below
    printf x > attributes; setfattr -n user.text -v value attributes; setfattr -n user.empty attributes
    setfattr -n trusted.binary -v 0x00ff0a00 attributes; setfattr -n user.large -v "$(printf '%0700d' 7)" attributes
    setfattr -n trusted.directory -v 1 directory; setfattr -n user.directory -v 1 directory
    cp /bin/true capable; chown 33:33 capable; setcap cap_net_raw,cap_chown+ep capable
    printf 1 > linked; ln linked directory/linked; ln linked directory/deep/linked
    ln -s plain link; ln link link_too; ln -s ../../../../../etc/passwd up; ln -s / root;
    ln -s "$(printf 'odd \n\377 target')" odd; ln -s "$(printf '%0900d' 0)" long; ln -s . self
    setfattr -h -n trusted.link -v 1 link; chown -h 12:34 link
    mkfifo fifo; chmod 0622 fifo; setfacl -m u:9:w fifo; setfattr -n trusted.fifo -v 1 fifo
    mknod null c 1 3; mknod disk b 259 70000; chown 6:6 disk; chmod 0660 disk; setfattr -n trusted.disk -v 1 disk
    mkdir 'báo cáo'; printf x > 'báo cáo/đề án.txt'; printf x > ./-dash; printf x > ' space '
    printf x > "$(printf 'new\nline')"; printf x > "$(printf '\377\376 bytes')"; printf x > "$(printf '%0255d' 0)"
  )sh");
  make_socket(root + "/socket");
  in_directory(root, "chmod 0751 socket; chown 7:8 socket");
  make_sparse(root + "/sparse");
  set_mtime(root + "/plain", -1, 999'999'999);
  set_mtime(root + "/empty", 7'258'118'400, 123'456'789);  // 2200
  for (const char* name : {"link", "fifo", "socket", "null", "directory/deep", "inheriting", "báo cáo"})
    set_mtime(root + "/" + name, 1'000'000'000, 1);
  // Last, because they forbid the rest.
  in_directory(root, R"sh(
    for flag in i a d A S ia; do
      printf x > flag_$flag; mkdir flags_$flag; printf x > flags_$flag/below
      chattr +$flag flag_$flag flags_$flag 2>/dev/null || [ $flag = S ]
    done
    chattr +i linked; touch -d @1000000001 directory .
  )sh");
}

std::string differences(const std::string& a, const std::string& b) {
  std::string found =
      run_or_throw({"rsync", "-aHAXSn", "--checksum", "--itemize-changes", "--delete", a + "/", b + "/"});
  for (const char* command : {
           "find . -printf '%y %m %U %G %T@ %n %l %P\\0' | sort -z | tr '\\0' '\\n'",
           "find . -type f -printf '%s %P\\0' | sort -z | tr '\\0' '\\n'",
           "find . -type c -o -type b | sort | xargs stat -c '%t %T %n'",
           "find . ! -type l -print0 | sort -z | xargs -0 getfacl -n",
           "find . -print0 | sort -z | xargs -0 getfattr -d -m - -h -e hex",
           "find . '(' -type f -o -type d ')' -print0 | sort -z | xargs -0 lsattr -d",
       })
    if (const std::string in_a = listing(a, command), in_b = listing(b, command); in_a != in_b)
      found += std::string(command) + ":\n" + in_a + "differs from\n" + in_b;
  constexpr std::int64_t kFewBlocks = 64 << 10;
  const std::int64_t in_a = allocated_bytes(a + "/sparse"), in_b = allocated_bytes(b + "/sparse");
  if (in_b > in_a + kFewBlocks) found += "sparse takes " + std::to_string(in_b) + " bytes, not " + std::to_string(in_a);
  return found;
}

}  // namespace qcbak::tests
