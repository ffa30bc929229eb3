#include "daemon/work_channel.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace qcbak::daemon {
namespace {

// A message of one byte with room for one descriptor.
struct OneByte {
  char byte = 0;
  iovec bytes{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};

  OneByte() {
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
  }
  OneByte(const OneByte&) = delete;
  OneByte& operator=(const OneByte&) = delete;
};

}  // namespace

void send_all(int socket, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) throw_errno("write to", "the other end of the work");
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void send_with_lock(int socket, std::string_view line, int lock) {
  OneByte first;
  first.byte = line.front();
  cmsghdr* header = CMSG_FIRSTHDR(&first.message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &lock, sizeof lock);
  if (::sendmsg(socket, &first.message, MSG_NOSIGNAL) != 1) throw_errno("write to", "the worker");
  send_all(socket, line.substr(1));
}

LineWithLock receive_with_lock(int socket) {
  LineWithLock received;
  OneByte first;
  if (::recvmsg(socket, &first.message, MSG_CMSG_CLOEXEC) != 1) throw Error(ErrorCode::interrupted, "the daemon is gone");
  const cmsghdr* header = CMSG_FIRSTHDR(&first.message);
  if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
    throw Error(ErrorCode::failed, "the order came without the lock");
  int lock = -1;
  std::memcpy(&lock, CMSG_DATA(header), sizeof lock);
  received.lock = UniqueFd(lock);
  received.line.push_back(first.byte);
  while (received.line.back() != '\n') {
    std::array<char, 4096> buffer;
    const ssize_t got = ::recv(socket, buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw Error(ErrorCode::interrupted, "the daemon is gone");
    received.line.append(buffer.data(), static_cast<std::size_t>(got));
    if (received.line.size() > kWorkLineLimit) throw Error(ErrorCode::failed, "the order is too long");
  }
  return received;
}

}  // namespace qcbak::daemon
