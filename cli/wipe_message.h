// What the processes of one wipe tell each other: the one that talks and signs, and a child for each disk. One message is one
// packet of a socket pair, deterministic CBOR of at most kWipeMessageLimit bytes. docs/sanitisation.md "Processes".
#pragma once

#include <optional>
#include <variant>

#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/wipe_task.h"
#include "wipe/watched_device.h"

namespace qcbak::cli {

inline constexpr std::size_t kWipeMessageLimit = 64U << 10;

// To the child. Its first message is the task; a disk is not written to before `go` came. The end of the stream: stop.
struct WipeGo {};
struct WipeJournalFile {};      // with its descriptor
struct WipeJournalReplaced {};  // what was written to it is the journal now, durably
using WipeOrder = std::variant<WipeTask, WipeGo, WipeJournalFile, WipeJournalReplaced>;

// Of the child, in this order; notes and movements at any time. It ends with `ended` or `failed`.
struct WipeNote {  // a sentence for people
  std::string text;
};
struct WipeInspected {
  DiskFacts disk;
};
struct WipeCleared {};    // it is the right disk, nothing stands against it, and the child waits for `go`
struct WipeVerifying {};  // nothing is written any more but what cannot be read back
struct WipeMoved {
  std::size_t step = 0;
  std::uint64_t done_bytes = 0;
  std::uint64_t size_bytes = 0;
};
struct WipeActive {  // every second
  wipe::Activity activity;
};
struct WipeSandboxed {  // before the first write
  std::vector<std::string> names;
};
struct WipeWantsJournalFile {};  // since it may open none itself: a new one beside the journal
struct WipeWroteJournalFile {};  // durably: it may take the journal's place
struct WipeFailed {
  ErrorCode code = ErrorCode::failed;
  std::string text;
  std::string hint;
};
struct WipeEnded {  // the journal says what was done
  wipe::Geometry geometry;
  wipe::Health health = {};
};
using WipeReport = std::variant<WipeNote, WipeInspected, WipeCleared, WipeVerifying, WipeMoved, WipeFailed, WipeEnded,
                                WipeActive, WipeSandboxed, WipeWantsJournalFile, WipeWroteJournalFile>;

Bytes encode(const WipeOrder& order);
Bytes encode(const WipeReport& report);
WipeOrder parse_wipe_order(ByteView message);    // Error(damaged)
WipeReport parse_wipe_report(ByteView message);  // Error(damaged)

struct WipePacket {
  Bytes message;
  UniqueFd fd;  // empty: none came with it
};

// One end of the socket pair.
class WipeChannel {
 public:
  explicit WipeChannel(UniqueFd fd) : fd_(std::move(fd)) {}
  static std::pair<WipeChannel, UniqueFd> pair();

  int fd() const { return fd_.get(); }
  // Does nothing when the other end is gone: receive() tells.
  void send(ByteView message) const;
  void send_with(ByteView message, const UniqueFd& fd) const;
  void send_if_there_is_room(ByteView message) const;
  std::optional<WipePacket> receive_packet() const;  // waits; nothing at the end
  std::optional<Bytes> receive() const;              // likewise
  std::optional<Bytes> receive_if_there() const;     // nothing where none is there now, too
  void end_sending() const;
  void end_receiving() const;

 private:
  std::optional<WipePacket> receive(int flags) const;
  UniqueFd fd_;
};

}  // namespace qcbak::cli
