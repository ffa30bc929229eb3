// The commands of a disk beside reading and writing: an optional capability of BlockDevice, not a thing of its own, because
// they must go to the very descriptor that is held exclusively. docs/sanitisation.md "Erasure by the disk's firmware".
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace qcbak::wipe {

enum class CommandSet { ata, scsi, nvme };  // ata: ATA commands within SCSI's ATA PASS-THROUGH(16)

// `command`: a SCSI command (ATA: the 16 bytes of ATA PASS-THROUGH), or the 64 bytes of an NVMe submission queue entry, in
// which command identifier and data pointers are 0. At most one of the two directions of data is used.
struct CommandRequest {
  Bytes command;
  Bytes to_disk;
  std::size_t from_disk_bytes = 0;
  std::int64_t timeout_ns = 0;
};

// All that came back. There is no field that says whether it went well: that has to be read out of these.
struct CommandResult {
  int error = 0;                    // errno of the system call; when not 0, nothing below counts
  std::uint8_t status = 0;          // SCSI
  std::uint16_t host_status = 0;    // SCSI: of the adapter's driver; not 0: the status is nobody's
  std::uint16_t driver_status = 0;  // SCSI
  Bytes sense;                      // SCSI: descriptor or fixed format, as much as came
  std::uint16_t nvme_status = 0;    // NVMe: 15 bits, without the phase tag
  std::uint32_t nvme_result = 0;    // NVMe: dword 0 of the completion
  Bytes from_disk;                  // as much as came
  friend bool operator==(const CommandResult&, const CommandResult&) = default;
};

class CommandChannel {
 public:
  virtual ~CommandChannel() = default;
  virtual CommandSet command_set() const = 0;
  virtual std::uint32_t nvme_namespace() const = 0;  // that the block device is; 0 for the others
  // Sends it once, and never again by itself. Blocks until there is an answer, or the time is up.
  virtual CommandResult send(const CommandRequest& request) = 0;
  // Has the system ask for the disk's size anew. Error(io).
  virtual void rescan() = 0;
};

// What an answer says of its command.
enum class Reply {
  done,     // the disk did it, or has begun
  refused,  // the disk said that it did not
  unknown,  // there is no answer of the disk, or none that can be read
};

}  // namespace qcbak::wipe
