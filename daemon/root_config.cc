#include "daemon/root_config.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include "base/error.h"
#include "daemon/work_order.h"

namespace qcbak::daemon {

void require_user(int socket, uid_t user) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) throw_errno("identify", "the daemon");
  if (credentials.uid != user && credentials.uid != 0)
    throw Error(ErrorCode::refused, "user " + std::to_string(credentials.uid) + " may not give orders here");
}

config::Config read_root_config(const std::string& path, const std::string& sha256) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) throw_errno("read", path);
  if (!S_ISREG(status.st_mode) || status.st_uid != 0 || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    throw Error(ErrorCode::refused, path + " must be a file of root's that nobody else can write");
  config::Config config = config::read(path);
  if (sha256_of(config) != sha256)
    throw Error(ErrorCode::refused, path + " is not what the daemon works by")
        .with_hint("have the daemon read it again: systemctl reload qcbakd");
  return config;
}

}  // namespace qcbak::daemon
