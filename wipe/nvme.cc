#include "wipe/nvme.h"

#include <algorithm>

namespace qcbak::wipe {
namespace {

constexpr std::int64_t kShortTimeoutNs = 30'000'000'000;
constexpr std::uint32_t kAllNamespaces = 0xffffffff;
constexpr std::uint32_t kNoEstimate = 0xffffffff;

struct Dwords {
  std::uint32_t name_space = 0;
  std::uint32_t dword10 = 0;
  std::uint32_t dword11 = 0;
};

CommandRequest request(unsigned opcode, Dwords dwords, std::size_t from_disk_bytes, std::int64_t timeout_ns) {
  Bytes command(kNvmeCommandBytes);
  command[0] = static_cast<std::byte>(opcode);
  store_le(&command[kNvmeNamespaceAt], dwords.name_space);
  store_le(&command[kNvmeDword10], dwords.dword10);
  store_le(&command[kNvmeDword11], dwords.dword11);
  return {std::move(command), {}, from_disk_bytes, timeout_ns};
}

CommandRequest identify(std::uint32_t name_space, std::uint32_t structure) {
  return request(0x06, {name_space, structure, 0}, kNvmePageBytes, kShortTimeoutNs);
}

CommandRequest get_log(std::uint32_t page, std::size_t size) {
  const auto dwords_less_one = static_cast<std::uint32_t>(size / 4 - 1);
  return request(0x02, {kAllNamespaces, dwords_less_one << 16 | page, 0}, size, kShortTimeoutNs);
}

std::string text_at(ByteView page, std::size_t at, std::size_t size) {
  const std::string_view text = as_text(page.subspan(at, size));
  const std::size_t first = text.find_first_not_of(' ');
  return first == text.npos ? "" : std::string(text.substr(first, text.find_last_not_of(' ') + 1 - first));
}

std::optional<std::uint32_t> estimate_at(ByteView page, std::size_t at) {
  const auto seconds = load_le<std::uint32_t>(&page[at]);
  return seconds == kNoEstimate ? std::nullopt : std::optional(seconds);
}

std::optional<SanitizeState> state_of(unsigned status) {
  switch (status & 0x7) {
    case 0: return SanitizeState::idle;
    case 1: return SanitizeState::succeeded;
    case 2: return SanitizeState::running;
    case 3: return SanitizeState::failed;
    case 4: return SanitizeState::succeeded;  // and deallocated, though asked not to
    default: return std::nullopt;
  }
}

}  // namespace

std::optional<NvmeController> parse_nvme_controller(ByteView page) {
  if (page.size() != kNvmePageBytes) return std::nullopt;
  const auto optional_commands = load_le<std::uint16_t>(&page[256]);
  const auto format = std::to_integer<unsigned>(page[524]);
  const auto sanitize = load_le<std::uint32_t>(&page[328]);
  NvmeController controller;
  controller.serial = text_at(page, 4, 20);
  controller.model = text_at(page, 24, 40);
  controller.formats = (optional_commands & 0x02) != 0;
  controller.formats_by_crypto = controller.formats && (format & 0x04) != 0;
  controller.sanitizes_by_crypto = (sanitize & 0x01) != 0;
  controller.sanitizes_by_block = (sanitize & 0x02) != 0;
  controller.sanitizes_by_overwrite = (sanitize & 0x04) != 0;
  controller.always_deallocates = (sanitize & 0x2000'0000) != 0;
  return controller;
}

std::optional<std::vector<std::uint32_t>> parse_nvme_namespaces(ByteView page) {
  if (page.size() != kNvmePageBytes) return std::nullopt;
  std::vector<std::uint32_t> found;
  for (std::size_t at = 0; at < page.size(); at += 4) {
    const auto name_space = load_le<std::uint32_t>(&page[at]);
    if (name_space == 0) break;
    if (!found.empty() && name_space <= found.back()) return std::nullopt;
    found.push_back(name_space);
  }
  return found;
}

std::optional<std::uint32_t> parse_nvme_format(ByteView page) {
  if (page.size() != kNvmePageBytes) return std::nullopt;
  const auto formats = std::to_integer<std::uint32_t>(page[25]);  // the number of them, less one
  const auto used = std::to_integer<std::uint32_t>(page[26]);
  const auto protection = std::to_integer<std::uint32_t>(page[29]);
  const std::uint32_t index = used & 0x0f;
  // More than sixteen formats have further bits elsewhere, which controllers of before 2.0 do not know.
  if (formats > 15 || index > formats) return std::nullopt;
  const std::uint32_t metadata_at_end = used >> 4 & 1;
  return index | metadata_at_end << 4 | (protection & 0x07) << 5 | (protection >> 3 & 1) << 8;
}

std::optional<NvmeSanitizeLog> parse_nvme_sanitize_log(ByteView page) {
  if (page.size() != kSanitizeLogBytes) return std::nullopt;
  const std::optional<SanitizeState> state = state_of(load_le<std::uint16_t>(&page[2]));
  if (!state) return std::nullopt;
  NvmeSanitizeLog log;
  log.state = *state;
  log.progress = load_le<std::uint16_t>(&page[0]);
  log.command = load_le<std::uint32_t>(&page[4]);
  log.overwrite_s = estimate_at(page, 8);
  log.block_s = estimate_at(page, 12);
  log.crypto_s = estimate_at(page, 16);
  return log;
}

Reply nvme_reply(const CommandResult& result) {
  if (result.error != 0) return Reply::unknown;
  const unsigned type = result.nvme_status >> 8 & 0x7;
  const unsigned code = result.nvme_status & 0xff;
  if (type == 0 && code == 0) return Reply::done;
  constexpr unsigned kPath = 3;  // the kernel's own, when a reset or a lost path ended the command
  constexpr unsigned kAborted[] = {0x07, 0x08};
  if (type == kPath || (type == 0 && std::ranges::find(kAborted, code) != std::end(kAborted))) return Reply::unknown;
  return Reply::refused;
}

CommandRequest nvme_identify_controller() { return identify(0, 1); }
CommandRequest nvme_identify_namespace(std::uint32_t name_space) { return identify(name_space, 0); }
CommandRequest nvme_list_namespaces() { return identify(0, 2); }

CommandRequest nvme_get_sanitize_log() { return get_log(0x81, kSanitizeLogBytes); }
CommandRequest nvme_get_health_log() { return get_log(0x02, kNvmeHealthLogBytes); }

CommandRequest nvme_sanitize(NvmeSanitize action, AfterSanitize after) {
  const std::uint32_t passes = action == NvmeSanitize::overwrite ? 1U << 4 : 0;  // 0 would be sixteen
  const std::uint32_t keep = after == AfterSanitize::kept ? 1U << 9 : 0;
  return request(0x84, {0, static_cast<std::uint32_t>(action) | passes | keep, 0}, 0, kShortTimeoutNs);
}

CommandRequest nvme_format(std::uint32_t name_space, std::uint32_t format, NvmeFormat erase, std::int64_t timeout_ns) {
  return request(0x80, {name_space, format | static_cast<std::uint32_t>(erase) << 9, 0}, 0, timeout_ns);
}

}  // namespace qcbak::wipe
