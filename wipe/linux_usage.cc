#include "wipe/linux_usage.h"

#include <blkid/blkid.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/unique_fd.h"

namespace qcbak::wipe {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSysfsFileLimit = 4096;
constexpr std::size_t kProcFileLimit = 16U << 20;
constexpr int kStackDepthLimit = 16;  // of devices built on devices
constexpr int kSignatureLimit = 64;   // on one disk or partition
constexpr std::size_t kVolumeGroupSearchBytes = 1U << 20;
constexpr std::uint64_t kSysfsSectorBytes = 512;

std::string number_of(dev_t device) { return std::to_string(major(device)) + ":" + std::to_string(minor(device)); }

std::string text_of(const std::string& path, std::size_t limit) { return to_string(read_file(path, limit)); }

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(directory, absent)) names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

// A partition, or the disk itself with start 0.
struct Area {
  std::string name;
  std::string sysfs;
  std::string number;
  std::uint64_t offset_bytes = 0;
  std::uint64_t size_bytes = 0;  // 0: to the end
};

std::uint64_t sysfs_bytes(const std::string& path) {
  return std::stoull(sysfs_value(path).value_or("0")) * kSysfsSectorBytes;
}

// The disk, and its partitions as the kernel sees them.
std::vector<Area> areas_of(const std::string& sysfs, const std::string& number) {
  std::vector<Area> areas{{fs::path(sysfs).filename().string(), sysfs, number, 0, 0}};
  for (const std::string& name : names_in(sysfs)) {
    const std::string inside = sysfs + "/" + name;
    if (!sysfs_value(inside + "/partition")) continue;
    areas.push_back({name, inside, sysfs_value(inside + "/dev").value_or(""), sysfs_bytes(inside + "/start"),
                     sysfs_bytes(inside + "/size")});
  }
  return areas;
}

const Area* area_of(const std::vector<Area>& areas, const std::string& number) {
  const auto found = std::ranges::find(areas, number, &Area::number);
  return found == areas.end() ? nullptr : &*found;
}

// The device that a path names, when it is a block device.
std::optional<std::string> block_number(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0 || !S_ISBLK(status.st_mode)) return std::nullopt;
  return number_of(status.st_rdev);
}

struct Mount {
  std::string number;
  std::string point;
  std::string source;
};

// proc(5), mountinfo: id, parent, number, root, point, options, optional fields, "-", type, source.
std::vector<Mount> all_mounts() {
  std::vector<Mount> mounts;
  std::istringstream lines(text_of("/proc/self/mountinfo", kProcFileLimit));
  for (std::string line; std::getline(lines, line);) {
    Mount mount;
    std::string skipped;
    std::istringstream words(line);
    words >> skipped >> skipped >> mount.number >> skipped >> mount.point;
    while (words >> skipped && skipped != "-") continue;
    words >> skipped >> mount.source;
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

// A file system of several devices, as btrfs, has a number of its own; its source is one of them.
std::vector<std::string> mounts_of(const std::vector<Area>& areas) {
  std::vector<std::string> found;
  for (const Mount& mount : all_mounts()) {
    const Area* area = area_of(areas, mount.number);
    if (!area) area = area_of(areas, block_number(mount.source).value_or(""));
    if (area) found.push_back(area->name + " on " + mount.point);
  }
  return found;
}

std::vector<std::string> swaps_of(const std::vector<Area>& areas) {
  std::vector<std::string> found;
  std::istringstream lines(text_of("/proc/swaps", kProcFileLimit));
  std::string line;
  std::getline(lines, line);  // the headings
  while (std::getline(lines, line)) {
    const Area* area = area_of(areas, block_number(line.substr(0, line.find(' '))).value_or(""));
    if (area) found.push_back(area->name);
  }
  return found;
}

std::vector<std::string> holders_of(const std::vector<Area>& areas) {
  std::vector<std::string> found;
  for (const Area& area : areas)
    for (const std::string& holder : names_in(area.sysfs + "/holders")) found.push_back(holder);
  return found;
}

// The disks that a device consists of in the end.
void add_disks_under(const std::string& number, std::set<std::string>& disks, int depth = 0) {
  const std::string link = "/sys/dev/block/" + number;
  if (depth > kStackDepthLimit || !fs::exists(link)) return;
  std::string sysfs = fs::canonical(link).string();
  if (sysfs_value(sysfs + "/partition")) sysfs = fs::path(sysfs).parent_path().string();
  disks.insert(sysfs_value(sysfs + "/dev").value_or(""));
  for (const std::string& below : names_in(sysfs + "/slaves"))
    add_disks_under(sysfs_value(sysfs + "/slaves/" + below + "/dev").value_or(""), disks, depth + 1);
}

std::set<std::string> disks_under_path(const std::string& path) {
  std::set<std::string> disks;
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return disks;
  const std::string number = number_of(status.st_dev);
  add_disks_under(number, disks);
  for (const Mount& mount : all_mounts())
    if (mount.number == number) add_disks_under(block_number(mount.source).value_or(""), disks);
  return disks;
}

struct ProbeDeleter {
  void operator()(blkid_probe probe) const { blkid_free_probe(probe); }
};
using Probe = std::unique_ptr<std::remove_pointer_t<blkid_probe>, ProbeDeleter>;

std::string probed(const Probe& probe, const char* name) {
  const char* value = nullptr;
  return blkid_probe_lookup_value(probe.get(), name, &value, nullptr) == 0 ? value : "";
}

// LVM's metadata is text that begins with the group's name: 'vg0 {\nid = "…'.
std::string volume_group(int fd, const Area& area) {
  Bytes head(kVolumeGroupSearchBytes);
  head.resize(pread_full(fd, head, area.offset_bytes, area.name));
  const std::string_view text = as_text(head);
  const std::size_t end = text.find(" {\nid = \"");
  if (end == text.npos) return "";
  const auto is_name = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || std::string_view("+_.-").find(c) != std::string_view::npos;
  };
  std::size_t begin = end;
  while (begin > 0 && is_name(text[begin - 1])) --begin;
  return std::string(text.substr(begin, end - begin));
}

std::string describe_member(const Probe& probe, const std::string& type, int fd, const Area& area) {
  std::string text = area.name + " (" + type;
  const std::string label = type == "LVM2_member" ? volume_group(fd, area) : probed(probe, "LABEL");
  if (!label.empty()) text += ", " + label;
  if (const std::string uuid = probed(probe, "UUID"); !uuid.empty()) text += ", UUID " + uuid;
  return text + ")";
}

bool is_membership(const std::string& type, const std::string& usage) {
  return usage == "raid" || usage == "crypto" || type.ends_with("_member") || type == "bcache";
}

void add_members(int fd, const Area& area, std::vector<std::string>& found) {
  const Probe probe(blkid_new_probe());
  if (!probe) throw std::bad_alloc();
  const auto offset = static_cast<blkid_loff_t>(area.offset_bytes);
  if (blkid_probe_set_device(probe.get(), fd, offset, static_cast<blkid_loff_t>(area.size_bytes)) != 0)
    throw_errno("look for signatures on", area.name, EIO);
  blkid_probe_enable_superblocks(probe.get(), 1);
  blkid_probe_set_superblocks_flags(probe.get(),
                                    BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE | BLKID_SUBLKS_UUID | BLKID_SUBLKS_LABEL);
  for (int i = 0; i < kSignatureLimit && blkid_do_probe(probe.get()) == 0; ++i)
    if (const std::string type = probed(probe, "TYPE"); is_membership(type, probed(probe, "USAGE")))
      found.push_back(describe_member(probe, type, fd, area));
}

std::vector<std::string> members_of(const std::vector<Area>& areas, const std::string& path, std::uint64_t size_bytes) {
  std::vector<std::string> found;
  if (size_bytes == 0) return found;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw_errno("open", path);
  for (const Area& area : areas) add_members(fd.get(), area, found);
  return found;
}

std::vector<std::string> reasons_not_a_disk(const std::string& sysfs) {
  if (sysfs_value(sysfs + "/partition"))
    return {"it is a partition of " + fs::path(sysfs).parent_path().filename().string()};
  if (fs::exists(sysfs + "/dm")) return {"it is a device-mapper volume"};
  if (fs::exists(sysfs + "/md")) return {"it is an array of disks"};
  return {};
}

}  // namespace

std::string sysfs_directory(dev_t device) {
  std::error_code error;
  const fs::path path = fs::canonical("/sys/dev/block/" + number_of(device), error);
  if (error) throw_errno("find in sysfs the device", number_of(device), error.value());
  return path.string();
}

std::optional<std::string> sysfs_value(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return std::nullopt;
  Bytes bytes(kSysfsFileLimit);
  const ssize_t size = ::read(fd.get(), bytes.data(), bytes.size());
  if (size < 0) return std::nullopt;
  const std::string_view text = as_text(ByteView(bytes).first(static_cast<std::size_t>(size)));
  constexpr std::string_view kBlanks(" \t\n\0", 4);
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == text.npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(kBlanks) + 1 - first));
}

Usage usage_of(dev_t device, const std::string& path, const std::vector<std::string>& system_paths) {
  const std::string sysfs = sysfs_directory(device);
  const std::vector<Area> areas = areas_of(sysfs, number_of(device));
  Usage usage;
  usage.reasons_not_a_disk = reasons_not_a_disk(sysfs);
  usage.mounts = mounts_of(areas);
  usage.swaps = swaps_of(areas);
  usage.holders = holders_of(areas);
  usage.members = members_of(areas, path, sysfs_bytes(sysfs + "/size"));
  for (const std::string& system_path : system_paths)
    if (disks_under_path(system_path).contains(number_of(device))) usage.system_paths.push_back(system_path);
  usage.read_only = sysfs_value(sysfs + "/ro") != "0";
  return usage;
}

}  // namespace qcbak::wipe
