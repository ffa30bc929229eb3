#include "tests/simulated/simulated_firmware.h"

#include <algorithm>
#include <cerrno>

namespace qcbak::simulated {
namespace {

using wipe::CommandRequest;
using wipe::CommandResult;

unsigned at(ByteView bytes, std::size_t index) { return std::to_integer<unsigned>(bytes[index]); }

void put(Bytes& bytes, std::size_t index, std::uint64_t value) {
  bytes.at(index) = static_cast<std::byte>(value & 0xff);
}

void put_word(Bytes& bytes, std::size_t word, std::uint64_t value) {
  put(bytes, 2 * word, value);
  put(bytes, 2 * word + 1, value >> 8);
}

void put_text(Bytes& bytes, std::size_t at_byte, std::size_t size, std::string text) {
  text.resize(size, ' ');
  std::ranges::copy(as_bytes(text), bytes.begin() + static_cast<std::ptrdiff_t>(at_byte));
}

void put_ata_text(Bytes& bytes, std::size_t word, std::size_t words, std::string text) {
  text.resize(2 * words, ' ');
  for (std::size_t i = 0; i < 2 * words; i += 2) std::swap(text[i], text[i + 1]);
  std::ranges::copy(as_bytes(text), bytes.begin() + static_cast<std::ptrdiff_t>(2 * word));
}

void seal_sector(Bytes& sector) {
  put(sector, 510, 0xa5);
  unsigned sum = 0;
  for (std::size_t i = 0; i < 511; ++i) sum += at(sector, i);
  put(sector, 511, 256 - sum % 256);
}

CommandResult good(Bytes data = {}) {
  CommandResult result;
  result.from_disk = std::move(data);
  return result;
}

CommandResult nvme_status(unsigned status) {
  CommandResult result;
  result.nvme_status = static_cast<std::uint16_t>(status);
  return result;
}

}  // namespace

CommandResult SimulatedFirmware::execute(const CommandRequest& request) {
  if (instead)
    if (std::optional<CommandResult> result = instead(request)) return *result;
  CommandResult result = answer(request);
  if (distort) distort(request, result);
  return result;
}

void SimulatedFirmware::begin_sanitizing() {
  sanitizing_ = Sanitizing::running;
  polls_left_ = polls_needed;
  disk_.refuse_transfers(EIO);
}

void SimulatedFirmware::poll() {
  if (sanitizing_ != Sanitizing::running || is_stuck || --polls_left_ > 0) return;
  if (!fails) erase_now();
  sanitizing_ = fails ? Sanitizing::failed : Sanitizing::done;
  if (!fails) disk_.refuse_transfers(0);
}

std::uint16_t SimulatedFirmware::progress() const {
  return static_cast<std::uint16_t>(65535 * (polls_needed - polls_left_) / polls_needed);
}

void SimulatedFirmware::erase_now() {
  ++erasures_;
  const std::uint64_t size = disk_.real_size_bytes();
  switch (erases) {
    case Erases::nothing: return;
    case Erases::half: disk_.erase(0, Bytes(size / 2, pattern)); return;
    case Erases::everything:
      disk_.erase(0, Bytes(size, pattern));
      disk_.erase_old_cells();
      return;
    case Erases::one_bit_in_each_sector: {
      Bytes content = disk_.content();
      for (std::uint64_t offset = 0; offset < size; offset += kSectorBytes) content[offset] ^= std::byte{1};
      disk_.erase(0, content);
    }
  }
}

CommandResult SimulatedFirmware::check_condition(unsigned key, unsigned code, unsigned qualifier) const {
  CommandResult result;
  result.status = 2;
  result.driver_status = 8;
  result.sense = Bytes(sense_format == SenseFormat::fixed ? 18 : 8);
  const bool is_fixed = sense_format == SenseFormat::fixed;
  put(result.sense, 0, is_fixed ? 0x70 : 0x72);
  put(result.sense, is_fixed ? 2 : 1, key);
  put(result.sense, is_fixed ? 12 : 2, code);
  put(result.sense, is_fixed ? 13 : 3, qualifier);
  if (is_fixed) put(result.sense, 7, 10);
  return result;
}

struct SimulatedAta::Taskfile {
  unsigned feature;
  unsigned count;
  std::uint64_t lba;
  unsigned command;
};
struct SimulatedAta::Registers {
  unsigned status = 0x50;
  unsigned error = 0;
  unsigned count = 0;
  std::uint64_t lba = 0;
};

SimulatedAta::SimulatedAta(Disk& disk)
    : SimulatedFirmware(disk),
      serial(disk.identity().serial),
      real_sectors_(disk.size_bytes() / kSectorBytes),
      dco_sectors_(real_sectors_),
      shown_sectors_(real_sectors_) {}

void SimulatedAta::power_cycled() {
  security_locked = security_enabled;
  security_frozen = sanitize_frozen = set_max_frozen = dco_frozen = false;
  lock_transfers();
}

void SimulatedAta::lock_transfers() {
  disk_.refuse_transfers(security_locked || sanitizing_ == Sanitizing::running ? EIO : 0);
}

void SimulatedAta::show(std::uint64_t sectors) {
  shown_sectors_ = sectors;
  disk_.show(sectors * kSectorBytes);
}

void SimulatedAta::hide_by_hpa(std::uint64_t sectors) { show(sectors); }

void SimulatedAta::hide_by_dco(std::uint64_t sectors) {
  dco_sectors_ = sectors;
  show(sectors);
}

void SimulatedAta::hide_by_amac(std::uint64_t sectors) {
  has_amac_ = true;
  has_hpa_ = has_dco_ = false;
  show(sectors);
}

CommandResult SimulatedAta::returned(const Registers& r) const {
  if (sense_format == SenseFormat::fixed) {
    CommandResult result = check_condition((r.status & 1) != 0 ? 0xb : 1, 0, 0x1d);
    put(result.sense, 3, r.error);
    put(result.sense, 4, r.status);
    put(result.sense, 6, r.count);
    for (unsigned i = 0; i < 3; ++i) put(result.sense, 9 + i, r.lba >> (8 * i));
    return result;
  }
  CommandResult result = check_condition((r.status & 1) != 0 ? 0xb : 1, 0, 0x1d);
  put(result.sense, 7, 14);
  result.sense.resize(22);
  put(result.sense, 8, 0x09);
  put(result.sense, 9, 12);
  put(result.sense, 10, 1);
  put(result.sense, 11, r.error);
  put(result.sense, 12, r.count >> 8);
  put(result.sense, 13, r.count);
  put(result.sense, 14, r.lba >> 24);
  put(result.sense, 15, r.lba);
  put(result.sense, 16, r.lba >> 32);
  put(result.sense, 17, r.lba >> 8);
  put(result.sense, 18, r.lba >> 40);
  put(result.sense, 19, r.lba >> 16);
  put(result.sense, 20, 0x40);
  put(result.sense, 21, r.status);
  return result;
}

CommandResult SimulatedAta::aborted(std::uint64_t lba) const { return returned({0x51, 0x04, 0, lba}); }

Bytes SimulatedAta::identify_sector() const {
  Bytes sector(512);
  put_word(sector, 0, 0x0040);
  put_ata_text(sector, 10, 10, serial);
  put_ata_text(sector, 23, 4, "1.0");
  put_ata_text(sector, 27, 20, "Simulated");
  const unsigned caps = (has_crypto ? 1U << 13 : 0) | (has_overwrite ? 1U << 14 : 0) | (has_block ? 1U << 15 : 0);
  put_word(sector, 59, has_sanitize ? caps | 1U << 12 : 0);
  put_word(sector, 60, shown_sectors_);
  put_word(sector, 61, shown_sectors_ >> 16);
  put_word(sector, 82, (has_security ? 2U : 0) | (has_hpa_ ? 1U << 10 : 0));
  put_word(sector, 83, 0x4000 | 1U << 10 | (has_dco_ ? 1U << 11 : 0));
  put_word(sector, 89, erase_units);
  put_word(sector, 90, erase_units);
  for (unsigned i = 0; i < 4; ++i) put_word(sector, 100 + i, shown_sectors_ >> (16 * i));
  put_word(sector, 119, 0x4000 | (has_amac_ ? 1U << 8 : 0));
  put_word(sector, 128,
           (has_security ? 1U : 0) | (security_enabled ? 2U : 0) | (security_locked ? 4U : 0) |
               (security_frozen ? 8U : 0) | (has_enhanced ? 0x20U : 0));
  seal_sector(sector);
  return sector;
}

CommandResult SimulatedAta::answer(const CommandRequest& request) {
  const ByteView cdb = request.command;
  if (cdb.size() != 16 || at(cdb, 0) != 0x85) return check_condition(5, 0x20, 0);
  const bool is_extended = (at(cdb, 1) & 1) != 0;
  const unsigned upper = is_extended ? 0xff : 0;
  Taskfile t{};
  t.feature = at(cdb, 4) | (at(cdb, 3) & upper) << 8;
  t.count = at(cdb, 6) | (at(cdb, 5) & upper) << 8;
  t.lba = at(cdb, 8) | at(cdb, 10) << 8 | at(cdb, 12) << 16;
  t.lba |= is_extended
               ? std::uint64_t{at(cdb, 7)} << 24 | std::uint64_t{at(cdb, 9)} << 32 | std::uint64_t{at(cdb, 11)} << 40
               : std::uint64_t{at(cdb, 13) & 0xf} << 24;
  t.command = at(cdb, 14);
  const bool was_prepared = std::exchange(is_prepared_, t.command == 0xf3 || t.command == 0x27);
  if (t.command == 0xec) {
    // As some translators do: with the registers asked for, the sector is lost.
    return (at(cdb, 2) & 0x20) != 0 ? returned({}) : good(identify_sector());
  }
  if (t.command == 0xb4) return answer_sanitize(t);
  if (sanitizing_ == Sanitizing::running) return aborted();
  if (t.command >= 0xf1 && t.command <= 0xf6) {
    if (t.command == 0xf4 && !was_prepared) return aborted();
    return answer_security(t, request);
  }
  if (t.command == 0xb1) return answer_dco(t);
  if (t.command == 0x37 && !was_prepared) return aborted();
  return answer_native(t);
}

CommandResult SimulatedAta::answer_sanitize(const Taskfile& t) {
  if (!has_sanitize || security_locked) return aborted(2);
  if (t.feature == 0) {
    poll();
    if (sanitizing_ == Sanitizing::failed) return aborted(1);
    if (sanitizing_ == Sanitizing::running) return returned({0x50, 0, 0x4000, progress()});
    // An idle disk says "completed", whatever it did before.
    return returned({0x50, 0, 0x8000U | (sanitize_frozen ? 0x2000U : 0), 0xffff});
  }
  const bool is_crypto = t.feature == 0x11 && t.lba == 0x43727970 && has_crypto;
  const bool is_block = t.feature == 0x12 && t.lba == 0x426b4572 && has_block;
  const bool is_overwrite = t.feature == 0x14 && t.lba >> 32 == 0x4f57 && (t.count & 0xf) == 1 && has_overwrite;
  if (!is_crypto && !is_block && !is_overwrite) return aborted(2);
  if (sanitize_frozen) return aborted(3);
  if (sanitizing_ == Sanitizing::running) return aborted();
  begin_sanitizing();
  return returned({0x50, 0, 0x4000, 0});
}

CommandResult SimulatedAta::answer_security(const Taskfile& t, const CommandRequest& request) {
  if (!has_security || security_frozen) return aborted();
  if (t.command == 0xf3) return returned({});
  if (request.to_disk.size() != 512) return aborted();
  const std::string given(as_text(ByteView(request.to_disk).subspan(2, 32)));
  if (t.command == 0xf1) {
    if (security_locked) return aborted();
    password = given;
    security_enabled = true;
    return returned({});
  }
  if (given != password) return aborted();
  if (t.command == 0xf2) security_locked = false;
  if (t.command == 0xf6) {
    if (security_locked) return aborted();
    security_enabled = false;
  }
  if (t.command == 0xf4) {
    if (!security_enabled || fails) return aborted();
    erase_now();
    security_locked = false;
    security_enabled = keeps_password;
  }
  lock_transfers();
  return returned({});
}

CommandResult SimulatedAta::answer_dco(const Taskfile& t) {
  if (!has_dco_ || dco_frozen) return aborted();
  if (t.feature == 0xc0) {
    if (shown_sectors_ < dco_sectors_) return aborted();  // not while there is an HPA
    dco_sectors_ = real_sectors_;
    show(real_sectors_);
    return returned({});
  }
  if (t.feature != 0xc2) return aborted();
  Bytes sector(512);
  put_word(sector, 0, 2);
  for (unsigned i = 0; i < 4; ++i) put_word(sector, 3 + i, (real_sectors_ - 1) >> (16 * i));
  seal_sector(sector);
  return good(std::move(sector));
}

CommandResult SimulatedAta::answer_native(const Taskfile& t) {
  if (t.command == 0x27 && has_hpa_) return returned({0x50, 0, 0, says_native_max_of_one ? 1 : dco_sectors_ - 1});
  if (t.command == 0x37 && has_hpa_ && !set_max_frozen && t.lba < dco_sectors_) {
    show(t.lba + 1);
    return returned({0x50, 0, 0, t.lba});
  }
  if (t.command == 0x78 && has_amac_ && t.feature == 0) return returned({0x50, 0, 0, real_sectors_ - 1});
  if (t.command == 0x78 && has_amac_ && t.feature == 1 && !set_max_frozen && t.lba < real_sectors_) {
    show(t.lba + 1);
    return returned({});
  }
  return aborted();
}

SimulatedNvme::SimulatedNvme(Disk& disk) : SimulatedFirmware(disk), serial(disk.identity().serial) {}

Bytes SimulatedNvme::identify_page(std::uint32_t structure) const {
  Bytes page(4096);
  if (structure == 1) {
    put_text(page, 4, 20, serial);
    put_text(page, 24, 40, "Simulated");
    put(page, 256, has_format ? 2 : 0);
    store_le(&page[328], sanitize_capabilities);
    put(page, 524, has_format_crypto ? 4 : 0);
  } else if (structure == 2) {
    for (std::uint32_t i = 0; i < namespaces; ++i) store_le(&page[4 * i], i + 1);
  } else {
    put(page, 25, 3);
    put(page, 26, 0x12);  // the third format, metadata at the end
    put(page, 29, 0x09);  // protection type 1, at the beginning of the metadata
  }
  return page;
}

Bytes SimulatedNvme::log_page() {
  poll();
  Bytes page(512);
  const unsigned states[] = {0, 2, status_of_success, 3};
  store_le(&page[0], sanitizing_ == Sanitizing::running ? progress() : std::uint16_t{0xffff});
  put(page, 2, states[static_cast<unsigned>(sanitizing_)]);
  store_le(&page[4], last_sanitize_);
  for (std::size_t i = 8; i < 20; i += 4) store_le(&page[i], estimate_s.value_or(0xffffffff));
  return page;
}

CommandResult SimulatedNvme::answer(const CommandRequest& request) {
  if (request.command.size() != 64) return nvme_status(0x4002);
  const unsigned opcode = at(request.command, 0);
  const auto name_space = load_le<std::uint32_t>(&request.command[4]);
  const auto dword10 = load_le<std::uint32_t>(&request.command[40]);
  if (opcode == 0x06) return good(identify_page(dword10 & 0xff));
  if (opcode == 0x02) {
    if ((dword10 & 0xff) != 0x81 || sanitize_capabilities == 0) return nvme_status(0x4109);
    return good(log_page());
  }
  if (sanitizing_ == Sanitizing::running) return nvme_status(0x401d);
  if (opcode == 0x84) {
    const unsigned action = dword10 & 0x7;
    const unsigned needed = action == 4 ? 1 : action == 2 ? 2 : action == 3 ? 4 : 0;
    if (name_space != 0 || needed == 0 || (sanitize_capabilities & needed) == 0) return nvme_status(0x4002);
    if (action == 3 && (dword10 >> 4 & 0xf) != 1) return nvme_status(0x4002);
    if ((sanitize_capabilities & 0x2000'0000) != 0 && (dword10 & 0x200) != 0) return nvme_status(0x4002);
    last_sanitize_ = dword10;
    begin_sanitizing();
    return good();
  }
  if (opcode == 0x80) {
    const unsigned erase = dword10 >> 9 & 0x7;
    if (!has_format || name_space != 1 || (dword10 & 0x1ff) != 0x132) return nvme_status(0x410a);
    if (fails || (erase == 2 && !has_format_crypto)) return nvme_status(0x4002);
    if (erase != 0) erase_now();
    return good();
  }
  return nvme_status(0x4001);
}

bool SimulatedScsi::has(unsigned action) const {
  return (action == 1 && has_overwrite) || (action == 2 && has_block) || (action == 3 && has_crypto);
}

CommandResult SimulatedScsi::answer(const CommandRequest& request) {
  const ByteView cdb = request.command;
  switch (at(cdb, 0)) {
    case 0x00:
      if (sanitizing_ == Sanitizing::running) return check_condition(2, 0x04, 0x1b);
      if (sanitizing_ == Sanitizing::failed) return check_condition(3, 0x31, 0x03);
      return good();
    case 0x03: return request_sense();
    case 0x48: return sanitize(request);
    case 0xa3:
      if (!reports_commands || (at(cdb, 1) & 0x1f) != 0x0c) return check_condition(5, 0x20, 0);
      return report_supported(at(cdb, 5));
    default: return check_condition(5, 0x20, 0);
  }
}

CommandResult SimulatedScsi::report_supported(unsigned action) const {
  Bytes report(16);
  put(report, 1, has(action) ? 3 : 1);
  return good(std::move(report));
}

CommandResult SimulatedScsi::sanitize(const CommandRequest& request) {
  const unsigned action = at(request.command, 1) & 0x1f;
  if (!has(action)) return check_condition(5, 0x24, 0);
  if (sanitizing_ == Sanitizing::running) return check_condition(2, 0x04, 0x1b);
  const std::size_t size = at(request.command, 7) << 8 | at(request.command, 8);
  if (size != request.to_disk.size() || (action == 1) != (size > 4)) return check_condition(5, 0x26, 0);
  if (action == 1 && (at(request.to_disk, 0) & 0x1f) == 0) return check_condition(5, 0x26, 0);
  begin_sanitizing();
  return good();
}

CommandResult SimulatedScsi::request_sense() {
  poll();
  Bytes sense = check_condition(0, 0, 0).sense;
  if (sanitizing_ == Sanitizing::failed) sense = check_condition(3, 0x31, 0x03).sense;
  if (sanitizing_ == Sanitizing::running) {
    sense = check_condition(2, 0x04, 0x1b).sense;
    const bool is_fixed = sense_format == SenseFormat::fixed;
    if (!is_fixed) {
      put(sense, 7, 8);
      sense.resize(16);
      put(sense, 8, 0x02);
      put(sense, 9, 6);
    }
    const std::size_t specific = is_fixed ? 15 : 12;
    put(sense, specific, 0x80);
    put(sense, specific + 1, progress() >> 8);
    put(sense, specific + 2, progress());
  }
  return good(std::move(sense));
}

}  // namespace qcbak::simulated
