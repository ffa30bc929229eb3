// A disk as sanitisation sees it: what it is, what it is used for, and its blocks. tests/simulated/ has its twin.
#pragma once

#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace qcbak::wipe {

class CommandChannel;

// As the disk reports it, byte for byte but for blanks at both ends; empty where it reports none.
struct Identity {
  std::string vendor;
  std::string model;
  std::string serial;
  std::string firmware;
  std::string wwid;
  friend bool operator==(const Identity&, const Identity&) = default;
};

struct Geometry {
  std::uint64_t size_bytes = 0;
  std::uint32_t logical_sector_bytes = 512;   // what addresses and sizes of requests are multiples of
  std::uint32_t physical_block_bytes = 4096;  // what the medium writes at once; a multiple of the sector
  friend bool operator==(const Geometry&, const Geometry&) = default;
};

// What keeps a disk from being wiped, as the system knows it now. Names are for showing.
struct Usage {
  std::vector<std::string> reasons_not_a_disk;  // "it is a partition of sda"
  std::vector<std::string> mounts;              // "/dev/sda1 on /srv"
  std::vector<std::string> swaps;
  std::vector<std::string> holders;       // "dm-0"
  std::vector<std::string> members;       // "LVM physical volume of group vg0"
  std::vector<std::string> system_paths;  // of those that lie on it: "/", "/boot"
  bool read_only = false;
};

// The part of a request that was done, from its beginning. With error 0 and less than all, the caller goes on after it; a
// transfer of nothing has an error. Otherwise `error` is the errno of what stopped it: a fault of that place (EIO, ENODATA,
// EILSEQ, ETIMEDOUT, ENOSPC …). What follows done_bytes is as it was, or not: nobody knows.
struct Transfer {
  std::size_t done_bytes = 0;
  int error = 0;
};

// Opened for one job, exclusively. read() and write() may be called by several threads at once; offsets and sizes are
// multiples of the logical sector within the disk, memory is page-aligned. A disk that is gone as a whole (ENODEV, ENXIO),
// and a flush that fails, are Error(io): the run ends.
class BlockDevice {
 public:
  virtual ~BlockDevice() = default;
  virtual std::string name() const = 0;   // for people: "/dev/sdb"
  virtual Identity identity() const = 0;  // asked anew, of the disk that is open
  virtual Geometry geometry() const = 0;  // likewise
  virtual Usage usage() const = 0;        // likewise

  virtual Transfer read(std::uint64_t offset, MutableByteView into) = 0;
  virtual Transfer write(std::uint64_t offset, ByteView from) = 0;
  // What was written before the call is on the medium after it.
  virtual void flush() = 0;
  // Tells the disk that none of its content is needed any more. The errno; EOPNOTSUPP where it cannot be told. It proves
  // nothing about what is on the medium.
  virtual int discard() { return EOPNOTSUPP; }
  // The commands of its firmware; null where they cannot be reached. Lives as long as the device.
  virtual CommandChannel* commands() { return nullptr; }
};

}  // namespace qcbak::wipe
