#include "wipe/hidden_areas.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "wipe/ata.h"

namespace qcbak::wipe {
namespace {

constexpr int kRounds = 2;  // restoring a DCO shows what an HPA hides of it

class Removal {
 public:
  Removal(Transcript& transcript, std::vector<HiddenArea> known, const SaveHiddenAreas& save)
      : transcript_(transcript), save_(save), found_(std::move(known)) {}

  std::vector<HiddenArea> run() {
    if (!identify()) throw Error(ErrorCode::refused, "the disk's answer to IDENTIFY DEVICE cannot be read");
    for (int round = 0; round < kRounds; ++round) {
      take_away(HiddenKind::hpa);
      take_away(HiddenKind::dco);
      take_away(HiddenKind::amac);
    }
    if (!found_.empty()) transcript_.channel().rescan();
    return found_;
  }

 private:
  bool identify() {
    const CommandResult result = transcript_.send(ata_identify());
    const std::optional<AtaIdentity> identity =
        scsi_reply(result) == Reply::done ? parse_ata_identity(result.from_disk) : std::nullopt;
    if (identity) identity_ = *identity;
    return identity.has_value();
  }

  bool has(HiddenKind kind) const {
    switch (kind) {
      case HiddenKind::hpa: return identity_.has_hpa;
      case HiddenKind::dco: return identity_.has_dco;
      case HiddenKind::amac: return identity_.has_amac;
    }
    return false;
  }

  std::optional<std::uint64_t> last_lba_of_answer(const CommandRequest& request) {
    const CommandResult result = transcript_.send(request);
    const std::optional<AtaRegisters> registers = parse_ata_registers(result.sense);
    if (ata_reply(result) != Reply::done || !registers || !registers->is_whole) return std::nullopt;
    return registers->lba;
  }

  std::optional<std::uint64_t> real_last_lba(HiddenKind kind) {
    if (kind == HiddenKind::hpa) return last_lba_of_answer(ata_read_native_max(identity_));
    if (kind == HiddenKind::amac) return last_lba_of_answer(ata_get_native_max_address());
    const CommandResult result = transcript_.send(ata_dco_identify());
    return scsi_reply(result) == Reply::done ? parse_dco_last_lba(result.from_disk) : std::nullopt;
  }

  void remove(HiddenKind kind, std::uint64_t last_lba) {
    switch (kind) {
      case HiddenKind::hpa: transcript_.send(ata_set_max(identity_, last_lba)); break;
      case HiddenKind::dco: transcript_.send(ata_dco_restore()); break;
      case HiddenKind::amac: transcript_.send(ata_set_accessible_max_address(last_lba)); break;
    }
  }

  void take_away(HiddenKind kind) {
    if (!has(kind)) return;
    const std::optional<std::uint64_t> last = real_last_lba(kind);
    if (!last) return note({kind, 0, 0, false});
    // Disks without such a limit answer with 0 or 1, or with what can be addressed anyway.
    if (*last + 1 <= identity_.sectors) return settle(kind);
    const std::uint64_t hidden_bytes = (*last + 1 - identity_.sectors) * identity_.sector_bytes;
    note({kind, hidden_bytes, (*last + 1) * identity_.sector_bytes, false});
    save_(found_);
    remove(kind, *last);
    // What the command answered counts for nothing: the disk is asked how large it is.
    if (identify() && identity_.sectors >= *last + 1) settle(kind);
  }

  // Whatever hid it before, it can be addressed now.
  void settle(HiddenKind kind) {
    for (HiddenArea& area : found_)
      if (area.kind == kind) area.removed = true;
  }

  // What was found first says how much was hidden.
  void note(const HiddenArea& area) {
    for (HiddenArea& known : found_)
      if (known.kind == area.kind) {
        known.removed = false;
        known.size_bytes = std::max(known.size_bytes, area.size_bytes);
        return;
      }
    found_.push_back(area);
  }

  Transcript& transcript_;
  const SaveHiddenAreas& save_;
  AtaIdentity identity_;
  std::vector<HiddenArea> found_;
};

}  // namespace

std::string_view hidden_kind_name(HiddenKind kind) {
  switch (kind) {
    case HiddenKind::hpa: return "HPA";
    case HiddenKind::dco: return "DCO";
    case HiddenKind::amac: return "AMAC";
  }
  check(false, "every kind has a name");
  return {};
}

std::vector<HiddenArea> remove_hidden_areas(Transcript& transcript, std::vector<HiddenArea> known,
                                            const SaveHiddenAreas& save) {
  if (transcript.channel().command_set() != CommandSet::ata) return {};
  return Removal(transcript, std::move(known), save).run();
}

}  // namespace qcbak::wipe
