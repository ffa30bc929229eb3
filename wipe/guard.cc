#include "wipe/guard.h"

#include <algorithm>

#include "base/error.h"

namespace qcbak::wipe {
namespace {

std::string joined(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ", ") + printable(item);
  return text;
}

std::string shown(std::string_view text) { return text.empty() ? "(none)" : printable(text); }

std::string difference(const std::string& name, std::string_view what, std::string_view found,
                       std::string_view approved) {
  return name + " is not the disk that was approved: its " + std::string(what) + " is " + shown(found) +
         ", approved was " + shown(approved);
}

// A disk that reports no serial is taken at the word of whoever entered it; one that does is not.
bool is_approved_serial(const Identity& identity, const ApprovedTarget& approved) {
  if (approved.serial.empty()) return false;
  if (identity.serial.empty()) return approved.serial_origin == SerialOrigin::entered_by_hand;
  return identity.serial == approved.serial;
}

bool is_approved_size(std::uint64_t size_bytes, const ApprovedTarget& approved) {
  return size_bytes == approved.size_bytes ||
         std::ranges::find(approved.grown_sizes_bytes, size_bytes) != approved.grown_sizes_bytes.end();
}

std::string why_not_approved(const Inspection& disk, const ApprovedTarget& approved) {
  const Identity& identity = disk.identity();
  if (identity.model != approved.model) return difference(disk.name(), "model", identity.model, approved.model);
  if (!is_approved_serial(identity, approved))
    return difference(disk.name(), "serial", identity.serial, approved.serial);
  if (!is_approved_size(disk.geometry().size_bytes, approved))
    return difference(disk.name(), "size", std::to_string(disk.geometry().size_bytes),
                      std::to_string(approved.size_bytes));
  return {};
}

std::string_view last_characters(std::string_view serial) {
  return serial.substr(serial.size() - std::min(serial.size(), kTypedCharacters));
}

[[noreturn]] void refuse(std::string sentence) { throw Error(ErrorCode::refused, std::move(sentence)); }

}  // namespace

std::vector<std::string> refusals_of(const std::string& name, const Usage& usage, std::uint64_t size_bytes) {
  std::vector<std::string> sentences;
  const auto add = [&](const std::vector<std::string>& found, const std::string& what) {
    if (!found.empty()) sentences.push_back(name + what + joined(found));
  };
  add(usage.reasons_not_a_disk, " is not a whole disk: ");
  add(usage.system_paths, " carries the running system: ");
  add(usage.mounts, " is mounted: ");
  add(usage.swaps, " is used as swap: ");
  add(usage.holders, " is in use by ");
  add(usage.members, " belongs to something else: ");
  if (usage.read_only) sentences.push_back(name + " is read-only");
  if (size_bytes == 0) sentences.push_back(name + " has no room: its size is 0");
  return sentences;
}

Inspection inspect(const BlockDevice& device) {
  Inspection inspection;
  inspection.name_ = device.name();
  inspection.identity_ = device.identity();
  inspection.geometry_ = device.geometry();
  inspection.usage_ = device.usage();
  return inspection;
}

void ConfirmedTarget::require_same(const BlockDevice& device) const {
  if (device.identity() != identity_ || device.geometry() != geometry_)
    refuse(device.name() + " is not the disk any more that was confirmed: its identity or its size has changed");
}

ConfirmedTarget confirm(const Inspection& inspection, const ApprovedTarget& approved, std::string_view typed) {
  if (std::vector<std::string> sentences = inspection.refusals(); !sentences.empty())
    refuse(std::move(sentences.front()));
  if (std::string sentence = why_not_approved(inspection, approved); !sentence.empty()) refuse(std::move(sentence));
  if (typed != last_characters(approved.serial))
    refuse("what was typed is not the end of the serial of " + inspection.name());
  ConfirmedTarget target;
  target.identity_ = inspection.identity();
  target.geometry_ = inspection.geometry();
  target.approved_ = approved;
  return target;
}

}  // namespace qcbak::wipe
