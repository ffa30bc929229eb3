#include "daemon/transport.h"

#include <curl/curl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/clock.h"
#include "base/error.h"
#include "base/unique_fd.h"

namespace qcbak::daemon {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, ListDeleter>;

List list_of(const std::vector<std::string>& lines) {
  List list;
  for (const std::string& line : lines) {
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    if (longer == nullptr) throw Error(ErrorCode::failed, "no memory for a request");
    static_cast<void>(list.release());
    list.reset(longer);
  }
  return list;
}

// One exchange with one server.
class Transfer {
 public:
  Transfer(const std::string& url, const char* protocol, const Trust& trust) : trust_(trust), curl_(curl_easy_init()) {
    if (!curl_) throw Error(ErrorCode::failed, "libcurl does not start");
    set(CURLOPT_ERRORBUFFER, why_.data());
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_PROTOCOLS_STR, protocol);
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PROXY, "");
    set(CURLOPT_NOPROXY, "*");
    set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT, kConnectLimit_s);
    set(CURLOPT_TIMEOUT, kSendLimit_s);
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    if (!trust.ca_file.empty()) {
      set(CURLOPT_CAINFO, trust.ca_file.c_str());
      set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    }
    set(CURLOPT_WRITEFUNCTION, &Transfer::take_answer);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &Transfer::look);
    set(CURLOPT_XFERINFODATA, this);
  }

  template <class Value>
  void set(CURLoption option, Value value) {
    const CURLcode result = curl_easy_setopt(curl_.get(), option, value);
    if (result != CURLE_OK) throw Error(ErrorCode::failed, std::string("libcurl: ") + curl_easy_strerror(result));
  }
  void upload(std::string_view bytes) {
    left_ = bytes;
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_READFUNCTION, &Transfer::give);
    set(CURLOPT_READDATA, this);
    set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(bytes.size()));
  }
  void perform() { require(curl_easy_perform(curl_.get())); }
  long status() {
    long status = 0;
    curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &status);
    return status;
  }
  void require(CURLcode result) {
    if (result == CURLE_OK) return;
    if (stopped_) throw Error(ErrorCode::interrupted, "the daemon is gone");
    throw Error(ErrorCode::io, why_.front() != '\0' ? why_.data() : curl_easy_strerror(result));
  }
  CURL* handle() { return curl_.get(); }

 private:
  static std::size_t take_answer(const char*, std::size_t, std::size_t size, void* self) {
    Transfer& transfer = *static_cast<Transfer*>(self);
    transfer.answered_ += size;
    return transfer.answered_ <= kAnswerLimit ? size : 0;  // less than it had: the transfer ends
  }
  static std::size_t give(char* into, std::size_t, std::size_t room, void* self) {
    std::string_view& left = static_cast<Transfer*>(self)->left_;
    const std::size_t size = std::min(room, left.size());
    std::memcpy(into, left.data(), size);
    left.remove_prefix(size);
    return size;
  }
  static int look(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    Transfer& transfer = *static_cast<Transfer*>(self);
    transfer.stopped_ = transfer.trust_.stop && transfer.trust_.stop();
    return transfer.stopped_ ? 1 : 0;
  }

  struct Cleanup {
    void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  };
  const Trust& trust_;
  std::array<char, CURL_ERROR_SIZE> why_{};
  std::string_view left_;
  std::size_t answered_ = 0;
  bool stopped_ = false;
  std::unique_ptr<CURL, Cleanup> curl_;
};

// libcurl wants it with a zero at its end, and makes a copy that is its own.
void set_password(Transfer& transfer, const crypto::SecretBytes& password) {
  crypto::SecretBytes text(password.size() + 1);
  std::memcpy(text.mutable_view().data(), password.view().data(), password.size());
  transfer.set(CURLOPT_PASSWORD, reinterpret_cast<const char*>(text.view().data()));
}

std::int64_t now_ns() { return SystemClock().monotonic_ns(); }

void wait_for(int socket, short events, std::int64_t until_ns, const Trust& trust) {
  constexpr int kLookAgainMs = 200;
  for (;;) {
    pollfd wait{socket, events, 0};
    const int ready = ::poll(&wait, 1, kLookAgainMs);
    if (ready < 0 && errno != EINTR) throw_errno("wait for", "the server");
    if (ready > 0) return;
    if (trust.stop && trust.stop()) throw Error(ErrorCode::interrupted, "the daemon is gone");
    if (now_ns() >= until_ns) throw Error(ErrorCode::io, "the server took too long");
  }
}

void send_whole(Transfer& transfer, int socket, std::string_view bytes, std::int64_t until_ns, const Trust& trust) {
  while (!bytes.empty()) {
    std::size_t sent = 0;
    const CURLcode result = curl_easy_send(transfer.handle(), bytes.data(), bytes.size(), &sent);
    if (result == CURLE_AGAIN)
      wait_for(socket, POLLOUT, until_ns, trust);
    else
      transfer.require(result);
    bytes.remove_prefix(sent);
  }
}

void wait_for_acknowledgement(int socket, std::int64_t until_ns, const Trust& trust) {
  constexpr int kPauseMs = 10;
  for (;;) {
    int outstanding = 0;
    if (::ioctl(socket, SIOCOUTQ, &outstanding) != 0) throw_errno("ask", "what the server has acknowledged");
    if (outstanding == 0) return;
    if (trust.stop && trust.stop()) throw Error(ErrorCode::interrupted, "the daemon is gone");
    if (now_ns() >= until_ns) throw Error(ErrorCode::io, "the server did not acknowledge everything");
    ::poll(nullptr, 0, kPauseMs);
  }
}

// What it sends is of no interest (TLS session tickets, most likely); that it closes is.
void require_open(Transfer& transfer) {
  constexpr int kReads = 100;
  for (int i = 0; i < kReads; ++i) {
    std::array<char, 4096> buffer;
    std::size_t got = 0;
    const CURLcode result = curl_easy_recv(transfer.handle(), buffer.data(), buffer.size(), &got);
    if (result == CURLE_AGAIN) return;
    transfer.require(result);
    if (got == 0) throw Error(ErrorCode::io, "the server closed the connection");
  }
  throw Error(ErrorCode::io, "the server does not stop sending");
}

// Half of the connection is closed: whoever read all of it closes the other half. One that does not is taken at its word, which
// is that of its kernel; one that answers speaks something else.
void require_orderly_end(int socket) {
  constexpr int kCloseLimitMs = 10'000;
  if (::shutdown(socket, SHUT_WR) != 0) throw_errno("end", "the connection");
  pollfd wait{socket, POLLIN, 0};
  const int ready = ::poll(&wait, 1, kCloseLimitMs);
  if (ready < 0 && errno != EINTR) throw_errno("wait for", "the server");
  if (ready <= 0) return;
  char byte = 0;
  const ssize_t got = ::recv(socket, &byte, 1, MSG_DONTWAIT);
  if (got < 0) throw_errno("end", "the connection");
  if (got > 0) throw Error(ErrorCode::io, "the server answered: it is no collector of syslog, or wants tls://");
}

UniqueFd connect_datagrams(const config::Endpoint& server) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (const int result = ::getaddrinfo(server.host.c_str(), std::to_string(server.port).c_str(), &hints, &found);
      result != 0)
    throw Error(ErrorCode::io, "find " + server.host + ": " + ::gai_strerror(result));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(found, &::freeaddrinfo);
  int last_errno = 0;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    UniqueFd fd(::socket(each->ai_family, each->ai_socktype | SOCK_CLOEXEC, each->ai_protocol));
    if (fd && ::connect(fd.get(), each->ai_addr, each->ai_addrlen) == 0) return fd;
    last_errno = errno;
  }
  throw_errno("reach", server.host, last_errno);
}

}  // namespace

void initialize_transport() {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) throw Error(ErrorCode::failed, "libcurl does not start");
}

void send_mail(const config::Endpoint& server, const Login& login, const std::string& from,
               const std::vector<std::string>& to, const std::string& mail, const Trust& trust) {
  const bool tls_from_the_start = server.scheme == "smtps";
  Transfer transfer((tls_from_the_start ? "smtps://" : "smtp://") + server.authority(),
                    tls_from_the_start ? "smtps" : "smtp", trust);
  if (server.scheme != "smtp+plain") transfer.set(CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
  if (!login.user.empty()) {
    transfer.set(CURLOPT_USERNAME, login.user.c_str());
    set_password(transfer, login.password);
  }
  const std::string sender = "<" + from + ">";
  transfer.set(CURLOPT_MAIL_FROM, sender.c_str());
  std::vector<std::string> recipients;
  for (const std::string& address : to) recipients.push_back("<" + address + ">");
  const List list = list_of(recipients);
  transfer.set(CURLOPT_MAIL_RCPT, list.get());
  transfer.upload(mail);
  transfer.perform();
}

void post(const std::string& url, const std::vector<std::string>& headers, const std::string& body,
          const Trust& trust) {
  Transfer transfer(url, url.starts_with("https:") ? "https" : "http", trust);
  const List list = list_of(headers);
  transfer.set(CURLOPT_HTTPHEADER, list.get());
  transfer.set(CURLOPT_POST, 1L);
  transfer.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  transfer.set(CURLOPT_POSTFIELDS, body.c_str());
  transfer.perform();
  if (const long status = transfer.status(); status < 200 || status > 299)
    throw Error(ErrorCode::io, "the server answered " + std::to_string(status));
}

void stream(const config::Endpoint& server, std::string_view bytes, const Trust& trust) {
  const bool tls = server.scheme == "tls";
  const std::int64_t until = now_ns() + kSendLimit_s * kSecond;
  Transfer transfer((tls ? "https://" : "http://") + server.authority(), tls ? "https" : "http", trust);
  transfer.set(CURLOPT_CONNECT_ONLY, 1L);
  transfer.set(CURLOPT_SSL_ENABLE_ALPN, 0L);
  transfer.perform();
  curl_socket_t socket = CURL_SOCKET_BAD;
  transfer.require(curl_easy_getinfo(transfer.handle(), CURLINFO_ACTIVESOCKET, &socket));
  send_whole(transfer, socket, bytes, until, trust);
  wait_for_acknowledgement(socket, until, trust);
  if (tls)
    require_open(transfer);
  else
    require_orderly_end(socket);
}

void send_datagrams(const config::Endpoint& server, const std::vector<std::string>& datagrams) {
  const UniqueFd fd = connect_datagrams(server);
  for (const std::string& datagram : datagrams)
    if (::send(fd.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(datagram.size()))
      throw_errno("send to", server.host);
  // A machine where nobody listens says so within moments.
  constexpr int kRefusalMs = 100;
  pollfd wait{fd.get(), 0, 0};
  if (::poll(&wait, 1, kRefusalMs) < 0 && errno != EINTR) throw_errno("wait for", server.host);
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) throw_errno("ask about", server.host);
  if (error != 0) throw_errno("send to", server.host, error);
}

}  // namespace qcbak::daemon
