// The firmware of simulated disks: its states, and its lies, as a test tells it to. It decodes commands from their bytes, by
// the standards and not by wipe/'s own functions.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "tests/simulated/simulated_disk.h"

namespace qcbak::simulated {

// What an erasure does to the medium before the disk says that it is done.
enum class Erases {
  everything,  // the cells that nobody can address too
  nothing,
  half,
  one_bit_in_each_sector,
};
enum class SenseFormat { descriptor, fixed };

class SimulatedFirmware : public Firmware {
 public:
  explicit SimulatedFirmware(Disk& disk) : disk_(disk) { disk.attach(*this); }

  Erases erases = Erases::everything;
  std::byte pattern{0};       // that is left
  unsigned polls_needed = 3;  // until sanitising is done
  bool is_stuck = false;      // progress stands still
  bool fails = false;         // says that it could not
  SenseFormat sense_format = SenseFormat::descriptor;
  // Before every command; what it gives is the answer, and the disk does nothing.
  std::function<std::optional<wipe::CommandResult>(const wipe::CommandRequest&)> instead;
  // After every command: what becomes of the answer.
  std::function<void(const wipe::CommandRequest&, wipe::CommandResult&)> distort;

  enum class Sanitizing { never, running, done, failed };
  Sanitizing sanitizing() const { return sanitizing_; }
  void begin_sanitizing();  // also: as if somebody else had
  void erase_now();
  std::uint64_t erasures() const { return erasures_; }

  wipe::CommandResult execute(const wipe::CommandRequest& request) final;
  void power_cycled() override {}

 protected:
  virtual wipe::CommandResult answer(const wipe::CommandRequest& request) = 0;
  void poll();  // of the progress
  std::uint16_t progress() const;
  wipe::CommandResult check_condition(unsigned key, unsigned code, unsigned qualifier) const;

  Disk& disk_;
  Sanitizing sanitizing_ = Sanitizing::never;

 private:
  unsigned polls_left_ = 0;
  std::uint64_t erasures_ = 0;
};

// Behind SAT. Sizes in sectors of 512 bytes.
class SimulatedAta final : public SimulatedFirmware {
 public:
  explicit SimulatedAta(Disk& disk);
  wipe::CommandSet command_set() const override { return wipe::CommandSet::ata; }
  void power_cycled() override;

  std::string serial;
  bool has_sanitize = true;
  bool has_crypto = true;
  bool has_block = true;
  bool has_overwrite = true;
  bool sanitize_frozen = false;
  bool has_security = true;
  bool has_enhanced = true;
  bool security_frozen = false;
  bool security_enabled = false;
  bool security_locked = false;
  bool keeps_password = false;  // after erasing
  std::string password;
  std::uint16_t erase_units = 1;  // of two minutes
  // Hidden areas: what can be addressed, what HPA, DCO and AMAC would allow, what there is.
  void hide_by_hpa(std::uint64_t sectors);
  void hide_by_dco(std::uint64_t sectors);
  void hide_by_amac(std::uint64_t sectors);
  bool set_max_frozen = false;
  bool dco_frozen = false;
  bool says_native_max_of_one = false;

 private:
  struct Taskfile;
  struct Registers;
  wipe::CommandResult answer(const wipe::CommandRequest& request) override;
  wipe::CommandResult returned(const Registers& registers) const;
  wipe::CommandResult aborted(std::uint64_t lba = 0) const;
  Bytes identify_sector() const;
  wipe::CommandResult answer_security(const Taskfile& taskfile, const wipe::CommandRequest& request);
  wipe::CommandResult answer_sanitize(const Taskfile& taskfile);
  wipe::CommandResult answer_dco(const Taskfile& taskfile);
  wipe::CommandResult answer_native(const Taskfile& taskfile);
  void show(std::uint64_t sectors);
  void lock_transfers();

  bool has_hpa_ = true;
  bool has_dco_ = true;
  bool has_amac_ = false;
  std::uint64_t real_sectors_;
  std::uint64_t dco_sectors_;
  std::uint64_t shown_sectors_;
  bool is_prepared_ = false;  // to erase, or to set a maximum
};

class SimulatedNvme final : public SimulatedFirmware {
 public:
  explicit SimulatedNvme(Disk& disk);
  wipe::CommandSet command_set() const override { return wipe::CommandSet::nvme; }

  std::string serial;
  std::uint32_t sanitize_capabilities = 0x7;
  bool has_format = true;
  bool has_format_crypto = true;
  std::uint32_t namespaces = 1;
  std::optional<std::uint32_t> estimate_s = 30;
  unsigned status_of_success = 1;  // 4: deallocated

 private:
  wipe::CommandResult answer(const wipe::CommandRequest& request) override;
  Bytes identify_page(std::uint32_t structure) const;
  Bytes log_page();
  std::uint32_t last_sanitize_ = 0;
};

class SimulatedScsi final : public SimulatedFirmware {
 public:
  explicit SimulatedScsi(Disk& disk) : SimulatedFirmware(disk) {}
  wipe::CommandSet command_set() const override { return wipe::CommandSet::scsi; }

  bool reports_commands = true;
  bool has_crypto = true;
  bool has_block = true;
  bool has_overwrite = true;

 private:
  wipe::CommandResult answer(const wipe::CommandRequest& request) override;
  wipe::CommandResult sanitize(const wipe::CommandRequest& request);
  wipe::CommandResult report_supported(unsigned action) const;
  wipe::CommandResult request_sense();
  bool has(unsigned action) const;
};

}  // namespace qcbak::simulated
