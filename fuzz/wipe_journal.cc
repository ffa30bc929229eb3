// The journal of a wipe: the bytes as a file, and as the second record of one whose checksums hold, after a good beginning; a
// progress that is taken must be told again in the same bytes.
#include "base/error.h"
#include "wipe/journal.h"

namespace qcbak {
namespace {

void may_be_refused(ByteView file) {
  try {
    wipe::parse_journal(file);
  } catch (const Error&) {
    // Refused: what most inputs deserve.
  }
}

Bytes with_record(Bytes file, crypto::Sha256 checksum_before, ByteView body) {
  const std::size_t at = file.size();
  append_le(file, static_cast<std::uint32_t>(body.size()));
  append(file, body);
  append(file,
         crypto::Sha256Stream().update(checksum_before.view()).update(ByteView(file).subspan(at)).finish().view());
  return file;
}

const Bytes& beginning() {
  static const Bytes file = wipe::journal_bytes({}, nullptr);
  return file;
}

}  // namespace
}  // namespace qcbak

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  const ByteView input = std::as_bytes(std::span(data, size));
  may_be_refused(input);
  const Bytes file = with_record(beginning(), wipe::parse_journal(beginning()).last_checksum, input);
  try {
    const wipe::Progress progress = wipe::parse_journal(file).progress.value();
    check(equal(wipe::journal_bytes({}, &progress), file), "one progress has one encoding");
  } catch (const Error&) {
    // Refused likewise.
  }
  return 0;
}
