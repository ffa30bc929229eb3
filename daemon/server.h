// HTTP/1.1 with JSON on a Unix socket. Takes in requests, however they come, and bounds what they cost; what they mean is
// the handler's. docs/daemon.md "The socket", "Over TLS".
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "daemon/caller.h"

namespace qcbak::daemon {

inline constexpr std::size_t kConnectionsLimit = 256;
inline constexpr std::size_t kRequestHeaderLimit = 8U << 10;
inline constexpr std::size_t kRequestBodyLimit = 1U << 20;
inline constexpr std::int64_t kConnectionLimit_s = 30;  // for one request, one reply, or doing nothing
inline constexpr const char* kJsonType = "application/json";

struct Request {
  std::string method;  // "GET", "POST"
  std::string target;  // "/v1/jobs/etc/runs?limit=10"
  std::string body;
  std::string token;  // of "Authorization: Bearer"; empty: there is none
};
struct Reply {
  int status = 200;
  std::string body;
  std::string type = kJsonType;
};

bool somebody_answers(const std::string& path);  // at that socket

class Server {
 public:
  // Who is at the other end of a new connection; an Error refuses it.
  using Identify = std::function<Caller(int socket)>;
  // Called once for each request, at once or later, on the loop; also when nobody waits any longer.
  using Respond = std::function<void(Reply)>;
  using Handler = std::function<void(Request&, const Caller&, const Respond&)>;
  enum class Peers {
    programs,  // on this machine
    gateway,   // whose first line says for which address it speaks, which becomes the caller's
  };
  // Listens at `path`, mode 0666: only the kernel's word counts. What an earlier daemon left there is replaced: that none
  // answers there is the caller's to know.
  Server(boost::asio::io_context& loop, const std::string& path, Peers peers, Identify identify, Handler handler);
  ~Server();
  void stop();
  std::size_t connections() const;

 private:
  class Listener;
  std::shared_ptr<Listener> listener_;  // shared: with its connections
};

}  // namespace qcbak::daemon
