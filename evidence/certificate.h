// A certificate that the daemon gave: the dossier, and where the appliance's log speaks of it. docs/media.md "The certificate".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace qcbak::evidence {

// Numbers of entries, as "qcbak audit export" has them. What the log says of the dossier, up to its certificate, lies between the
// first and the last; the head is the log's end when it was certified.
struct LogRange {
  std::uint64_t first = 0, last = 0, head_number = 0;
  std::string head;  // its hash, hexadecimal
};

struct Certificate {
  std::string dossier;  // as encode() gives it
  std::optional<LogRange> log;
};

std::string encode(const Certificate& certificate);  // one line with its LF
// Also of a dossier alone. Error(damaged) unless it is what encode() gives for some certificate.
Certificate parse_certificate(std::string_view text);

}  // namespace qcbak::evidence
