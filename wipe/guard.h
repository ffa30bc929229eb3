// The right disk and no other. docs/sanitisation.md "The guard".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crypto/hash.h"
#include "wipe/block_device.h"

namespace qcbak::wipe {

// Why a disk must not be wiped, a sentence each; empty when nothing stands against it.
std::vector<std::string> refusals_of(const std::string& name, const Usage& usage, std::uint64_t size_bytes);

// What an open disk is and is used for, asked of the disk itself.
class Inspection {
 public:
  const std::string& name() const { return name_; }
  const Identity& identity() const { return identity_; }
  const Geometry& geometry() const { return geometry_; }
  const Usage& usage() const { return usage_; }
  std::vector<std::string> refusals() const { return refusals_of(name_, usage_, geometry_.size_bytes); }

 private:
  friend Inspection inspect(const BlockDevice& device);
  Inspection() = default;
  std::string name_;
  Identity identity_;
  Geometry geometry_;
  Usage usage_;
};
Inspection inspect(const BlockDevice& device);

// Where the approved serial comes from: a disk that reports none is told by what somebody read on its label, and the
// certificate says so.
enum class SerialOrigin { reported, entered_by_hand };

// What was approved: this disk, for this plan.
struct ApprovedTarget {
  std::string model;
  std::string serial;
  SerialOrigin serial_origin = SerialOrigin::reported;
  std::uint64_t size_bytes = 0;
  crypto::Sha256 plan_hash;
  // By the job's own journal (sizes_of_disk), and by nothing else: what its size may be now that hidden areas are gone.
  std::vector<std::uint64_t> grown_sizes_bytes = {};
};

// Leave to wipe one disk by one plan, once. Nothing but confirm() makes one, and overwrite() uses it up.
class ConfirmedTarget {
 public:
  ConfirmedTarget(ConfirmedTarget&&) noexcept = default;
  ConfirmedTarget& operator=(ConfirmedTarget&&) noexcept = default;
  ConfirmedTarget(const ConfirmedTarget&) = delete;
  ConfirmedTarget& operator=(const ConfirmedTarget&) = delete;

  const Identity& identity() const { return identity_; }
  const Geometry& geometry() const { return geometry_; }
  const ApprovedTarget& approved() const { return approved_; }
  // Asks the open disk again who it is. Error(refused) when that is not the one that was confirmed.
  void require_same(const BlockDevice& device) const;

 private:
  friend ConfirmedTarget confirm(const Inspection& inspection, const ApprovedTarget& approved, std::string_view typed);
  ConfirmedTarget() = default;
  Identity identity_;
  Geometry geometry_;
  ApprovedTarget approved_;
};

inline constexpr std::size_t kTypedCharacters = 6;
// Error(refused), in one sentence, when anything stands against wiping this disk, when it is not the approved one, and when
// `typed` is not the last six characters of the approved serial (the whole of a shorter one).
ConfirmedTarget confirm(const Inspection& inspection, const ApprovedTarget& approved, std::string_view typed);

}  // namespace qcbak::wipe
