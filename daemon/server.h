// HTTP/1.1 with JSON on a Unix socket. Takes in requests, however they come, and bounds what they cost; what they mean is
// the handler's. docs/daemon.md "The socket".
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "daemon/caller.h"

namespace qcbak::daemon {

inline constexpr std::size_t kConnectionsLimit = 256;
inline constexpr std::size_t kRequestHeaderLimit = 8U << 10;
inline constexpr std::size_t kRequestBodyLimit = 256U << 10;
inline constexpr std::int64_t kConnectionLimit_s = 30;  // for one request, one reply, or doing nothing

struct Request {
  std::string method;  // "GET", "POST"
  std::string target;  // "/v1/jobs/etc/runs?limit=10"
  std::string body;
};
struct Reply {
  int status = 200;
  std::string body;
  std::string type = "application/json";
};

bool somebody_answers(const std::string& path);  // at that socket

class Server {
 public:
  using Handler = std::function<Reply(const Request&, const Caller&)>;
  // Listens at `path`, mode 0666: roles decide, and only the kernel's word counts. What an earlier daemon left there is
  // replaced: that none answers there is the caller's to know.
  Server(boost::asio::io_context& loop, const std::string& path, const RoleTable& roles, Handler handler);
  ~Server();
  void stop();
  void set_roles(const RoleTable& roles);  // for connections from now on
  std::size_t connections() const;

 private:
  class Listener;
  std::shared_ptr<Listener> listener_;  // shared: with its connections
};

}  // namespace qcbak::daemon
