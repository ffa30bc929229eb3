// NVMe admin commands that erase, and what their answers mean. Everything that a disk sent is taken for untrusted bytes.
#pragma once

#include <optional>
#include <vector>

#include "wipe/command_channel.h"
#include "wipe/scsi.h"

namespace qcbak::wipe {

inline constexpr std::size_t kNvmeCommandBytes = 64;
inline constexpr std::size_t kNvmeNamespaceAt = 4;  // within a command, as the next two
inline constexpr std::size_t kNvmeDword10 = 40;
inline constexpr std::size_t kNvmeDword11 = 44;
inline constexpr std::size_t kNvmePageBytes = 4096;
inline constexpr std::size_t kSanitizeLogBytes = 512;
inline constexpr std::size_t kNvmeHealthLogBytes = 512;

// NVMe 1.4 §5.15, figure 247.
struct NvmeController {
  std::string serial;
  std::string model;
  bool formats = false;
  bool formats_by_crypto = false;
  bool sanitizes_by_crypto = false;
  bool sanitizes_by_block = false;
  bool sanitizes_by_overwrite = false;
  bool always_deallocates = false;  // refuses to keep what sanitising left
};
std::optional<NvmeController> parse_nvme_controller(ByteView page);
// Ascending; nothing when the list is none.
std::optional<std::vector<std::uint32_t>> parse_nvme_namespaces(ByteView page);
// What FORMAT NVM must be told so that the namespace keeps its format: bits 8 to 0 of its dword 10.
std::optional<std::uint32_t> parse_nvme_format(ByteView page);

// NVMe 1.4 §5.14.1.16.2.
struct NvmeSanitizeLog {
  SanitizeState state = SanitizeState::idle;
  std::uint16_t progress = 0;                                   // of 65536
  std::uint32_t command = 0;                                    // dword 10 of the last sanitising
  std::optional<std::uint32_t> overwrite_s, block_s, crypto_s;  // as the disk estimates them
};
std::optional<NvmeSanitizeLog> parse_nvme_sanitize_log(ByteView page);

Reply nvme_reply(const CommandResult& result);

CommandRequest nvme_identify_controller();
CommandRequest nvme_identify_namespace(std::uint32_t name_space);
CommandRequest nvme_list_namespaces();
CommandRequest nvme_get_sanitize_log();
CommandRequest nvme_get_health_log();  // of the controller: log page 02
enum class NvmeSanitize : std::uint32_t { block_erase = 2, overwrite = 3, crypto_erase = 4 };
enum class AfterSanitize { deallocated, kept };
CommandRequest nvme_sanitize(NvmeSanitize action, AfterSanitize after);  // returns at once, and the disk goes on
enum class NvmeFormat : std::uint32_t { user_data = 1, crypto = 2 };
// `format` as parse_nvme_format() gives it. Returns when the disk is done.
CommandRequest nvme_format(std::uint32_t name_space, std::uint32_t format, NvmeFormat erase, std::int64_t timeout_ns);

}  // namespace qcbak::wipe
