#include "wipe/firmware_drive.h"

#include <algorithm>

#include "base/error.h"
#include "wipe/ata.h"
#include "wipe/nvme.h"

namespace qcbak::wipe {
namespace {

using enum FirmwareMethod;

constexpr const char* kLacking = "the disk does not report that it has this command";
constexpr const char* kRunning = "the disk is being sanitised already, and not by this job";

[[noreturn]] void refuse(const char* sentence) { throw Error(ErrorCode::refused, sentence); }

// A command is one of its set's; what the caller's table lets through.
void check_set(FirmwareMethod method, CommandSet set) {
  check(method_row(method).command_set == set, "a method is of the drive's command set");
}

class AtaDrive final : public FirmwareDrive {
 public:
  explicit AtaDrive(Transcript& transcript) : transcript_(transcript) {
    if (!identify()) refuse("the disk's answer to IDENTIFY DEVICE cannot be read");
  }

  std::string serial() const override { return identity_.serial; }

  bool reports(FirmwareMethod method) override {
    switch (method) {
      case ata_sanitize_crypto: return identity_.sanitizes_by_crypto;
      case ata_sanitize_block: return identity_.sanitizes_by_block;
      case ata_sanitize_overwrite: return identity_.sanitizes_by_overwrite;
      case ata_secure_erase: return identity_.has_security;
      case ata_secure_erase_enhanced: return identity_.erases_enhanced;
      default: return false;
    }
  }

  std::optional<std::string> obstacle(FirmwareMethod method) override {
    if (!identify()) return "the disk's answer to IDENTIFY DEVICE cannot be read";
    if (!reports(method)) return kLacking;
    if (identity_.security_locked) return "the disk is locked by a password";
    return method_row(method).is_sanitize ? obstacle_to_sanitizing(method) : obstacle_to_security();
  }

  std::optional<std::int64_t> estimate_s(FirmwareMethod method) override {
    if (method_row(method).is_sanitize) return std::nullopt;
    const bool enhanced = method == ata_secure_erase_enhanced;
    const std::optional<std::uint32_t> minutes = enhanced ? identity_.enhanced_erase_minutes : identity_.erase_minutes;
    return minutes ? std::optional(std::int64_t{*minutes} * 60) : std::nullopt;
  }

  Reply begin(FirmwareMethod method, std::int64_t limit_ns) override {
    check_set(method, CommandSet::ata);
    switch (method) {
      case ata_sanitize_crypto: return send(ata_sanitize(AtaSanitize::crypto_scramble));
      case ata_sanitize_block: return send(ata_sanitize(AtaSanitize::block_erase));
      case ata_sanitize_overwrite: return send(ata_sanitize(AtaSanitize::overwrite));
      case ata_secure_erase_enhanced: return erase(AtaErase::enhanced, limit_ns);
      default: return erase(AtaErase::normal, limit_ns);
    }
  }

  std::optional<Polled> poll(FirmwareMethod) override {
    const std::optional<AtaSanitizeStatus> status = parse_ata_sanitize_status(transcript_.send(ata_sanitize_status()));
    if (!status) return std::nullopt;
    return Polled{status->state, status->progress};
  }

  bool take_back(FirmwareMethod method) override {
    if (method_row(method).is_sanitize) return true;
    if (!identify()) return false;
    if (!identity_.security_enabled) return true;
    if (identity_.security_locked && send(ata_unlock()) != Reply::done) return false;
    send(ata_disable_password());
    return identify() && !identity_.security_enabled;
  }

 private:
  Reply send(const CommandRequest& request) { return ata_reply(transcript_.send(request)); }

  bool identify() {
    const CommandResult result = transcript_.send(ata_identify());
    const std::optional<AtaIdentity> identity =
        scsi_reply(result) == Reply::done ? parse_ata_identity(result.from_disk) : std::nullopt;
    if (identity) identity_ = *identity;
    return identity.has_value();
  }

  std::optional<std::string> obstacle_to_sanitizing(FirmwareMethod method) {
    const std::optional<Polled> polled = poll(method);
    if (!polled)
      return "the disk's registers do not come back whole, so that nobody could see what became of the command";
    if (polled->state == SanitizeState::frozen) return "the disk is frozen against sanitising until its power was off";
    if (polled->state == SanitizeState::running) return kRunning;
    return std::nullopt;
  }

  std::optional<std::string> obstacle_to_security() const {
    if (identity_.security_frozen) return "the disk's security is frozen until its power was off";
    if (identity_.security_expired) return "the disk takes no more passwords until its power was off";
    if (identity_.security_enabled) return "the disk has a password that is somebody else's";
    return std::nullopt;
  }

  Reply erase(AtaErase kind, std::int64_t limit_ns) {
    if (const Reply reply = send(ata_set_password()); reply != Reply::done) return reply;
    if (const Reply reply = send(ata_erase_prepare()); reply != Reply::done) return reply;
    return send(ata_erase_unit(kind, limit_ns));
  }

  Transcript& transcript_;
  AtaIdentity identity_;
};

class NvmeDrive final : public FirmwareDrive {
 public:
  explicit NvmeDrive(Transcript& transcript) : transcript_(transcript) {
    const CommandResult result = transcript_.send(nvme_identify_controller());
    const std::optional<NvmeController> controller =
        nvme_reply(result) == Reply::done ? parse_nvme_controller(result.from_disk) : std::nullopt;
    if (!controller) refuse("the disk's answer to Identify Controller cannot be read");
    controller_ = *controller;
  }

  std::string serial() const override { return controller_.serial; }

  bool reports(FirmwareMethod method) override {
    switch (method) {
      case nvme_sanitize_crypto: return controller_.sanitizes_by_crypto;
      case nvme_sanitize_block: return controller_.sanitizes_by_block;
      case nvme_sanitize_overwrite: return controller_.sanitizes_by_overwrite;
      case nvme_format_user: return controller_.formats;
      case nvme_format_crypto: return controller_.formats_by_crypto;
      default: return false;
    }
  }

  std::optional<std::string> obstacle(FirmwareMethod method) override {
    if (!reports(method)) return kLacking;
    if (std::optional<std::string> other = obstacle_of_namespaces()) return other;
    if (sanitizes()) {
      const std::optional<NvmeSanitizeLog> log = sanitize_log();
      if (!log) return "the disk's log of sanitising cannot be read";
      if (log->state == SanitizeState::running) return kRunning;
    }
    if (!method_row(method).is_sanitize && !format()) return "the format of the namespace cannot be read";
    return std::nullopt;
  }

  std::optional<std::int64_t> estimate_s(FirmwareMethod method) override {
    const std::optional<NvmeSanitizeLog> log = method_row(method).is_sanitize ? sanitize_log() : std::nullopt;
    if (!log) return std::nullopt;
    switch (method_row(method).kind) {
      case Kind::crypto: return log->crypto_s;
      case Kind::block: return log->block_s;
      case Kind::overwrite: return log->overwrite_s;
    }
    return std::nullopt;
  }

  Reply begin(FirmwareMethod method, std::int64_t limit_ns) override {
    check_set(method, CommandSet::nvme);
    if (method_row(method).is_sanitize) return nvme_reply(transcript_.send(sanitize(method)));
    return format_namespace(method == nvme_format_crypto ? NvmeFormat::crypto : NvmeFormat::user_data, limit_ns);
  }

  std::optional<Polled> poll(FirmwareMethod method) override {
    const std::optional<NvmeSanitizeLog> log = sanitize_log();
    if (!log) return std::nullopt;
    const bool is_this = log->command == load_le<std::uint32_t>(&sanitize(method).command[kNvmeDword10]);
    return is_this ? Polled{log->state, log->progress} : Polled{};
  }

  bool take_back(FirmwareMethod) override { return true; }

 private:
  bool sanitizes() const {
    return controller_.sanitizes_by_block || controller_.sanitizes_by_crypto || controller_.sanitizes_by_overwrite;
  }

  // Sanitising erases all that a disk has, and formatting often does, whatever was approved.
  std::optional<std::string> obstacle_of_namespaces() {
    const CommandResult result = transcript_.send(nvme_list_namespaces());
    const auto found = nvme_reply(result) == Reply::done ? parse_nvme_namespaces(result.from_disk) : std::nullopt;
    if (!found) return "the disk's list of namespaces cannot be read";
    const std::vector<std::uint32_t> only{transcript_.channel().nvme_namespace()};
    if (*found != only)
      return "the disk has other namespaces than the one that was approved, and they would be erased too";
    return std::nullopt;
  }

  std::optional<NvmeSanitizeLog> sanitize_log() {
    const CommandResult result = transcript_.send(nvme_get_sanitize_log());
    return nvme_reply(result) == Reply::done ? parse_nvme_sanitize_log(result.from_disk) : std::nullopt;
  }

  CommandRequest sanitize(FirmwareMethod method) const {
    const AfterSanitize after = controller_.always_deallocates ? AfterSanitize::deallocated : AfterSanitize::kept;
    if (method == nvme_sanitize_crypto) return nvme_sanitize(NvmeSanitize::crypto_erase, after);
    return nvme_sanitize(method == nvme_sanitize_block ? NvmeSanitize::block_erase : NvmeSanitize::overwrite, after);
  }

  std::optional<std::uint32_t> format() {
    const CommandResult result = transcript_.send(nvme_identify_namespace(transcript_.channel().nvme_namespace()));
    return nvme_reply(result) == Reply::done ? parse_nvme_format(result.from_disk) : std::nullopt;
  }

  Reply format_namespace(NvmeFormat erase, std::int64_t limit_ns) {
    const std::optional<std::uint32_t> same = format();
    if (!same) return Reply::unknown;
    return nvme_reply(transcript_.send(nvme_format(transcript_.channel().nvme_namespace(), *same, erase, limit_ns)));
  }

  Transcript& transcript_;
  NvmeController controller_;
};

class ScsiDrive final : public FirmwareDrive {
 public:
  explicit ScsiDrive(Transcript& transcript) : transcript_(transcript) {}

  std::string serial() const override { return ""; }

  bool reports(FirmwareMethod method) override { return supported(method) == true; }

  std::optional<std::string> obstacle(FirmwareMethod method) override {
    // Disks that do not tell may still have it: what becomes of the command is looked at.
    if (supported(method) == false) return kLacking;
    std::optional<Polled> polled = poll(method);
    // What has happened to a disk, such as a reset, it reports once.
    if (!polled) polled = poll(method);
    if (!polled) return "the disk is not ready";
    if (polled->state == SanitizeState::running) return kRunning;
    return std::nullopt;
  }

  std::optional<std::int64_t> estimate_s(FirmwareMethod) override { return std::nullopt; }

  Reply begin(FirmwareMethod method, std::int64_t) override {
    check_set(method, CommandSet::scsi);
    const bool was_reported = reports(method);
    const CommandResult result = transcript_.send(scsi_sanitize(action(method)));
    const Reply reply = scsi_reply(result);
    // A disk that never said that it has the command has not failed at it.
    if (reply == Reply::refused && !was_reported && is_illegal_request(result)) refuse(kLacking);
    return reply;
  }

  std::optional<Polled> poll(FirmwareMethod) override {
    const CommandResult result = transcript_.send(scsi_request_sense());
    if (scsi_reply(result) != Reply::done) return std::nullopt;
    const std::optional<ScsiSanitizeStatus> status = parse_scsi_sanitize_status(result.from_disk);
    if (!status) return std::nullopt;
    if (status->state != SanitizeState::idle) return Polled{status->state, status->progress};
    // Some disks have nothing to say to REQUEST SENSE while they are busy, and are not ready all the same.
    return test_unit();
  }

  bool take_back(FirmwareMethod) override { return true; }

 private:
  std::optional<Polled> test_unit() {
    const CommandResult result = transcript_.send(scsi_test_unit_ready());
    const Reply reply = scsi_reply(result);
    if (reply == Reply::done) return Polled{SanitizeState::succeeded, std::nullopt};
    const std::optional<ScsiSanitizeStatus> status =
        reply == Reply::refused ? parse_scsi_sanitize_status(result.sense) : std::nullopt;
    return status ? std::optional(Polled{status->state, status->progress}) : std::nullopt;
  }

  static bool is_illegal_request(const CommandResult& result) {
    constexpr std::uint8_t kIllegalRequest = 0x5;
    const std::optional<Sense> sense = parse_sense(result.sense);
    return sense && sense->key == kIllegalRequest;
  }

  static ScsiSanitize action(FirmwareMethod method) {
    if (method == scsi_sanitize_crypto) return ScsiSanitize::crypto_erase;
    return method == scsi_sanitize_block ? ScsiSanitize::block_erase : ScsiSanitize::overwrite;
  }

  std::optional<bool> supported(FirmwareMethod method) {
    if (method_row(method).command_set != CommandSet::scsi) return false;
    const CommandResult result = transcript_.send(scsi_report_supported(action(method)));
    return scsi_reply(result) == Reply::done ? parse_supported(result.from_disk) : std::nullopt;
  }

  Transcript& transcript_;
};

}  // namespace

std::unique_ptr<FirmwareDrive> open_firmware(Transcript& transcript) {
  switch (transcript.channel().command_set()) {
    case CommandSet::ata: return std::make_unique<AtaDrive>(transcript);
    case CommandSet::nvme: return std::make_unique<NvmeDrive>(transcript);
    case CommandSet::scsi: return std::make_unique<ScsiDrive>(transcript);
  }
  check(false, "every command set has a drive");
  return nullptr;
}

}  // namespace qcbak::wipe
