// A mail as it goes to the server: RFC 5322, MIME with UTF-8 text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace qcbak::daemon {

struct Mail {
  std::string from;  // checked addresses (config::require_mail_address)
  std::vector<std::string> to;
  std::string subject, text;  // UTF-8; whatever is in them stays in them
  std::string id;             // the left side of Message-ID: the same each time this mail is sent
  std::string host;           // its right side
  Time time;
};

// Lines of at most 78 bytes that end with "\r\n". Subject and text are encoded, so that nothing in them is taken for a header.
std::string compose(const Mail& mail);

}  // namespace qcbak::daemon
