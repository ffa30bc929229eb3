#include "daemon/tls_identity.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl.hpp>
#include <ctime>

#include "base/error.h"
#include "base/unique_fd.h"
#include "crypto/secret.h"
#include "daemon/credential.h"
#include "daemon/message_log.h"

namespace qcbak::daemon {
namespace {

namespace asio = boost::asio;
namespace ssl = asio::ssl;

constexpr std::size_t kFileLimit = 1U << 20;
constexpr std::time_t kSoon_s = 30 * 86'400;
constexpr const char* kNextStep = "/usr/share/doc/qcbak/operations.md \"A certificate for the management address\" says how they are made";

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorCode::usage, what).with_hint(kNextStep); }

// What can be read of a file that somebody has to put there.
template <class Read>
auto read_given(const std::string& what, const std::string& path, Read&& read) {
  try {
    return read(path, kFileLimit);
  } catch (const Error& error) {
    refuse(what + ": " + error.what());
  }
}

void use_certificate(ssl::context& context, const std::string& path) {
  const Bytes file = read_given("the certificate", path, [](const auto& from, std::size_t limit) { return read_file(from, limit); });
  boost::system::error_code error;
  context.use_certificate_chain(asio::buffer(file.data(), file.size()), error);
  if (error) refuse(path + " is no certificate in PEM: " + error.message());
}

void use_key(ssl::context& context, const std::string& path, const std::string& certificate) {
  const crypto::SecretBytes file =
      read_given("the key", path, [](const auto& from, std::size_t limit) { return crypto::read_secret_file(from, limit); });
  // A service has nobody to ask for a passphrase.
  context.set_password_callback([](std::size_t, ssl::context::password_purpose) { return std::string(); });
  boost::system::error_code error;
  context.use_private_key(asio::buffer(file.view().data(), file.view().size()), ssl::context::pem, error);
  // A key of another kind than the certificate's is taken by the line above.
  const bool belongs = !error && ::SSL_CTX_check_private_key(context.native_handle()) == 1;
  if (!belongs)
    refuse(path + " is not the key of " + certificate + ", in PEM and without a passphrase" + (error ? ": " + error.message() : ""));
}

void warn_of_dates(ssl::context& context, const std::string& path) {
  X509* certificate = ::SSL_CTX_get0_certificate(context.native_handle());
  check(certificate != nullptr, "a certificate is in use");
  std::time_t now = std::time(nullptr);
  std::time_t soon = now + kSoon_s;
  const ASN1_TIME* end = ::X509_get0_notAfter(certificate);
  if (::X509_cmp_time(end, &now) < 0) say(Level::warning, path + " has expired: nobody who checks it gets in; renew it");
  else if (::X509_cmp_time(end, &soon) < 0) say(Level::warning, path + " expires within 30 days; renew it");
  if (::X509_cmp_time(::X509_get0_notBefore(certificate), &now) > 0)
    say(Level::warning, path + " is not valid yet: is the clock right?");
}

}  // namespace

std::shared_ptr<ssl::context> load_tls_identity(const config::Serve& serve) {
  const auto context = std::make_shared<ssl::context>(ssl::context::tlsv13_server);
  const std::string certificate = credential_path(serve.certificate);
  use_certificate(*context, certificate);
  use_key(*context, credential_path(serve.key), certificate);
  // Tickets let a client come back quicker, and are state that nobody needs here.
  ::SSL_CTX_set_num_tickets(context->native_handle(), 0);
  warn_of_dates(*context, certificate);
  return context;
}

}  // namespace qcbak::daemon
