#include "daemon/delivery.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <vector>

#include "backup/source/capture.h"
#include "base/bytes.h"
#include "base/error.h"
#include "crypto/hash.h"
#include "daemon/announcement.h"
#include "daemon/caller.h"
#include "daemon/credential.h"
#include "daemon/mail.h"
#include "daemon/message_log.h"
#include "daemon/root_config.h"
#include "daemon/transport.h"
#include "daemon/work_channel.h"

namespace qcbak::daemon {
namespace {

constexpr std::uint16_t kSyslogPort = 514;      // RFC 5426; in practice also of TCP
constexpr std::uint16_t kSyslogTlsPort = 6514;  // RFC 5425

void deliver_mail(const config::Notify& notify, const Message& message, const Trust& trust) {
  const std::string host = source::host_name();
  Login login;
  login.user = notify.user;
  if (!login.user.empty()) login.password = read_first_line(credential_path(notify.password));
  Mail mail;
  mail.from = notify.from.empty() ? "qcbak@" + host : notify.from;
  if (notify.from.empty()) in_context("the sender: give notify.from", [&] { config::require_mail_address(mail.from); });
  mail.to = notify.emails;
  mail.subject = message.subject;
  mail.text = message.text;
  mail.id = "qcbak." + std::to_string(message.created.ns) + "." + std::to_string(message.id);
  mail.host = host;
  mail.time = message.created;
  send_mail(notify.smtp, login, mail.from, mail.to, compose(mail), trust);
}

void deliver_webhook(const config::Notify& notify, const Message& message, const Trust& trust) {
  std::vector<std::string> headers{
      "Content-Type: application/json", "User-Agent: qcbak/" QCBAK_VERSION,
      "Expect:", "X-Qcbak-Message: " + std::to_string(message.created.ns) + "." + std::to_string(message.id)};
  if (!notify.webhook_secret.empty()) {
    const crypto::SecretBytes secret = read_first_line(credential_path(notify.webhook_secret));
    headers.push_back("X-Qcbak-Signature: sha256=" +
                      crypto::HmacSha256(secret.view()).mac(as_bytes(message.json)).hex());
  }
  post(notify.webhook, headers, message.json, trust);
}

void deliver_syslog(const config::Audit& audit, const std::vector<SyslogEntry>& entries, const Trust& trust) {
  if (audit.syslog.empty()) throw Error(ErrorCode::refused, "the configuration names no collector");
  config::Endpoint collector = audit.collector;
  if (collector.port == 0) collector.port = collector.scheme == "tls" ? kSyslogTlsPort : kSyslogPort;
  const std::string host = source::host_name();
  if (collector.scheme == "udp") {
    std::vector<std::string> datagrams;
    for (const SyslogEntry& entry : entries) datagrams.push_back(syslog_datagram(entry, host));
    send_datagrams(collector, datagrams);
    return;
  }
  std::string bytes;
  for (const SyslogEntry& entry : entries) bytes += octet_counted(syslog_message(entry, host));
  stream(collector, bytes, trust);
}

uid_t giver_of_orders(const std::string& name) {
  if (name.empty()) return ::geteuid();
  if (const auto user = user_id(name)) return *user;
  throw Error(ErrorCode::usage, "there is no user \"" + name + "\"");
}

std::string receive_line(int socket) {
  std::string line;
  while (line.empty() || line.back() != '\n') {
    char buffer[65536];
    const ssize_t got = ::recv(socket, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw Error(ErrorCode::interrupted, "the daemon is gone");
    line.append(buffer, static_cast<std::size_t>(got));
    if (line.size() > kWorkLineLimit) throw Error(ErrorCode::failed, "the order is too long");
  }
  return line;
}

bool is_gone(int socket) {
  pollfd look{socket, POLLRDHUP, 0};
  return ::poll(&look, 1, 0) > 0;
}

config::Config config_for(const MessengerOrder& order, const std::string& path) {
  return path.empty() ? config::parse(order.config_text, order.config_file)
                      : read_root_config(path, order.config_sha256);
}

}  // namespace

void deliver(const config::Config& config, const MessengerOrder& order, const std::function<bool()>& stop) {
  if (order.kind == MessengerOrder::Kind::syslog) {
    deliver_syslog(config.audit, order.entries, {config.audit.syslog_ca_file, stop});
    return;
  }
  if (order.notify >= config.notify.size())
    throw Error(ErrorCode::refused, "the configuration has no such table [[notify]]");
  const config::Notify& notify = config.notify[order.notify];
  const Trust trust{notify.ca_file, stop};
  if (notify.webhook.empty())
    deliver_mail(notify, order.message, trust);
  else
    deliver_webhook(notify, order.message, trust);
}

int run_messenger(int socket, const std::string& config, const std::string& orders_from) {
  MessengerResult result;
  try {
    crypto::initialize();
    initialize_transport();
    if (!config.empty()) require_user(socket, giver_of_orders(orders_from));
    const MessengerOrder order = decode_messenger_order(receive_line(socket));
    deliver(config_for(order, config), order, [socket] { return is_gone(socket); });
  } catch (const Error& error) {
    result.error = error.what();
    if (!error.hint().empty()) result.error += "; " + error.hint();
    if (!config.empty()) say(Level::warning, result.error);
  }
  try {
    send_all(socket, encode(result));
  } catch (const Error&) {
    return 1;  // whoever wanted to know sends it again
  }
  return 0;
}

bool send_test(const config::Config& config) {
  initialize_transport();
  if (config.notify.empty()) std::fputs("there is no table [[notify]] in the configuration\n", stdout);
  bool all = !config.notify.empty();
  for (std::size_t i = 0; i < config.notify.size(); ++i) {
    const config::Notify& notify = config.notify[i];
    std::string came_of_it = "sent";
    try {
      MessengerOrder order;
      order.notify = i;
      order.message = announce_test(notify, source::host_name(), SystemClock().now());
      deliver(config, order, {});
    } catch (const Error& error) {
      all = false;
      came_of_it = std::string("not sent: ") + error.what();
    }
    std::fputs((printable(notify.name + ": " + came_of_it) + "\n").c_str(), stdout);
  }
  return std::fflush(stdout) == 0 && all;
}

}  // namespace qcbak::daemon
