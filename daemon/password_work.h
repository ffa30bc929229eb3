// Hashes of passwords, checked and made on a thread of its own: each takes a sixth of a second and 64 MiB, and the daemon's
// one thread has other things to do. One at a time, so that no crowd of log-ins costs more than that.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "crypto/secret.h"

namespace qcbak::daemon {

inline constexpr std::size_t kPasswordsWaitingLimit = 16;
inline constexpr std::size_t kPasswordsWaitingOfOneLimit = 2;

class PasswordWork {
 public:
  struct Order {
    crypto::SecretBytes password;
    std::string hash;                         // the one in force; empty: there is none
    bool must_be_right = true;                // `password`, or nothing further is done
    std::optional<crypto::SecretBytes> next;  // one to be hashed
  };
  struct Result {
    bool is_right = false;
    bool next_is_the_same = false;  // as the one with `hash`
    std::string next_hash;
    std::string error;  // why nothing is known; empty: all of it is
  };
  using Done = std::function<void(const Result&)>;

  explicit PasswordWork(boost::asio::io_context& loop) : loop_(loop) {}
  ~PasswordWork();  // `done` of what still waits is not called
  // `done` is called on the loop. Error(busy) when too many wait, in all or from one place.
  void start(const std::string& from, Order order, Done done);

 private:
  std::size_t waiting() const;
  boost::asio::io_context& loop_;
  std::map<std::string, std::size_t> waiting_;  // by where they came from
  boost::asio::thread_pool thread_{1};
};

}  // namespace qcbak::daemon
