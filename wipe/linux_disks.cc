#include "wipe/linux_disks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/unique_fd.h"
#include "wipe/guard.h"
#include "wipe/linux_usage.h"

namespace qcbak::wipe {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSysfsSectorBytes = 512;
constexpr std::size_t kSerialPageHeader = 4;  // SPC-5 §7.8.18: the serial follows, as long as the fourth byte says

std::string first_of(const std::string& sysfs, std::initializer_list<const char*> names) {
  for (const char* const name : names)
    if (std::optional<std::string> value = sysfs_value(sysfs + "/" + name); value && !value->empty()) return *value;
  return "";
}

std::string without_blanks(std::string_view text) {
  const std::size_t first = text.find_first_not_of(' ');
  return first == text.npos ? "" : std::string(text.substr(first, text.find_last_not_of(' ') + 1 - first));
}

// SCSI and SATA disks: the page of vital product data that holds the serial.
std::string serial_of(const std::string& sysfs) {
  if (std::string serial = first_of(sysfs, {"device/serial", "serial"}); !serial.empty()) return serial;
  const UniqueFd fd(::open((sysfs + "/device/vpd_pg80").c_str(), O_RDONLY | O_CLOEXEC));
  Bytes page(kSerialPageHeader + 0xff);
  const ssize_t size = fd ? ::read(fd.get(), page.data(), page.size()) : -1;
  if (size < static_cast<ssize_t>(kSerialPageHeader)) return "";
  const std::size_t length = std::to_integer<std::size_t>(page[kSerialPageHeader - 1]);
  const std::size_t there = static_cast<std::size_t>(size) - kSerialPageHeader;
  return without_blanks(as_text(ByteView(page).subspan(kSerialPageHeader, std::min(length, there))));
}

std::uint64_t number_at(const std::string& path, std::uint64_t unless_there) {
  const std::string text = sysfs_value(path).value_or("");
  return text.empty() ? unless_there : std::stoull(text);
}

Geometry geometry_at(const std::string& sysfs) {
  return {number_at(sysfs + "/size", 0) * kSysfsSectorBytes,
          static_cast<std::uint32_t>(number_at(sysfs + "/queue/logical_block_size", 512)),
          static_cast<std::uint32_t>(number_at(sysfs + "/queue/physical_block_size", 512))};
}

std::vector<std::string> refusals_at(dev_t device, const std::string& path, std::uint64_t size_bytes) {
  try {
    return refusals_of(path, usage_of(device, path, {"/", "/boot", "/boot/efi"}), size_bytes);
  } catch (const Error& error) {
    return {path + ": what it is used for is not known: " + error.what()};
  }
}

}  // namespace

Identity identity_at(const std::string& sysfs) {
  return {first_of(sysfs, {"device/vendor"}), first_of(sysfs, {"device/model"}), serial_of(sysfs),
          first_of(sysfs, {"device/firmware_rev", "device/rev"}), first_of(sysfs, {"wwid", "device/wwid"})};
}

Attachment attachment_at(const std::string& sysfs) {
  return {number_at(sysfs + "/diskseq", 0), sysfs_value(sysfs + "/removable") == "1",
          sysfs_value(sysfs + "/queue/rotational") == "1"};
}

SeenDisk look_at(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) throw_errno("look at", printable(path));
  if (!S_ISBLK(status.st_mode)) throw Error(ErrorCode::refused, printable(path) + " is no block device");
  const std::string sysfs = sysfs_directory(status.st_rdev);
  SeenDisk disk{path, identity_at(sysfs), geometry_at(sysfs), attachment_at(sysfs), {}};
  disk.refusals = refusals_at(status.st_rdev, path, disk.geometry.size_bytes);
  return disk;
}

std::vector<SeenDisk> disks_of_machine() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator("/sys/block")) names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  std::vector<SeenDisk> disks;
  for (std::string& name : names) {
    if (number_at("/sys/block/" + name + "/size", 0) == 0) continue;
    std::ranges::replace(name, '!', '/');  // sysfs has no other way to write it
    if (fs::exists("/dev/" + name)) disks.push_back(look_at("/dev/" + name));
  }
  return disks;
}

}  // namespace qcbak::wipe
