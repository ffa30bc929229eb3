// A process of this program that works for the daemon, and the socket between the two. It has its end as descriptor 3.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace qcbak::daemon {

inline constexpr int kSocketOfChild = 3;

class Child {
 public:
  // `qcbakd OPTION`, as the daemon's own process. Error(io).
  static Child start(const char* option);
  // One that systemd starts for a connection to the socket at this path. Error(io).
  static Child connect(const std::string& path);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  // Closes the socket and, where the process is the daemon's own, waits until it is gone.
  ~Child();

  int socket() const { return socket_.get(); }
  bool is_own() const { return own_; }
  void stop_sending();  // the other side reads an end
  void kill();          // where it is the daemon's own
  int wait();           // its status as waitpid(2) has it; 0 where it is systemd's
  // Hands over every whole line that has come, waiting for none. False: there will be no more. Error(failed): a line is too long.
  bool read_lines(const std::function<void(std::string_view line)>& take);

 private:
  Child(UniqueFd socket, pid_t process) : socket_(std::move(socket)), process_(process), own_(process >= 0) {}
  UniqueFd socket_;
  pid_t process_;  // -1: systemd's, or gone
  bool own_;
  std::string received_;
};

}  // namespace qcbak::daemon
