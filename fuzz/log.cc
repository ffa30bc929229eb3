// Log entries: as stored, the payload behind its signature, and the sealed details.
#include "backup/repository/log.h"

#include "fuzz/keys_at_hand.h"

namespace qcbak {
namespace {

using namespace repository;

void open(LogEntry entry) {
  fuzz::may_be_refused([&] { open_log_details(fuzz::binding(), fuzz::domain(), entry); });
}

// The first byte is the kind of the event that these are the sealed details of.
void open_details(ByteView details) {
  constexpr std::size_t kKinds = std::variant_size_v<LogEvent>;
  const LogEvent events[kKinds] = {KeyEvent{},      Commit{},       Tombstone{},  Relabel{},    Hold{}, Release{},
                                   RetentionLock{}, Condemnation{}, Collection{}, Checkpoint{}, Audit{}};
  LogEntry entry;
  entry.event = events[fuzz::take_choice(details, kKinds)];
  entry.number = 1;
  Bytes context;
  append_le<std::uint64_t>(context, entry.number);
  entry.sealed = fuzz::seal("log", context, details);
  open(std::move(entry));
}

}  // namespace
}  // namespace qcbak

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  ByteView input = std::as_bytes(std::span(data, size));
  const unsigned choice = fuzz::take_choice(input, 3);
  fuzz::may_be_refused([&] {
    const crypto::Sha256& config_hash = fuzz::binding().config_hash;
    switch (choice) {
      case 0: open(parse_log_entry(config_hash, input, Signatures::trusted)); break;
      case 1: {
        Bytes stored;
        cbor::Writer(stored).array(2).bytes(input).bytes(Bytes(crypto::Signature::kSize));
        open(parse_log_entry(config_hash, stored, Signatures::trusted));
        break;
      }
      default: open_details(input); break;
    }
  });
  return 0;
}
