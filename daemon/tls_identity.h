// What the gateway proves itself with.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>

#include "config/config.h"

namespace qcbak::daemon {

// TLS 1.3 with the certificate and the key that [serve] names, read once. Error(usage): one of them is missing, is none, or
// they do not belong together. One that is out of date, or soon will be, is taken, and said in the log.
// Shared: with the connections that began with it.
std::shared_ptr<boost::asio::ssl::context> load_tls_identity(const config::Serve& serve);

}  // namespace qcbak::daemon
