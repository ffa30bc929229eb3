#include "backup/source/device_use.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <filesystem>
#include <set>
#include <sstream>
#include <vector>

#include "base/error.h"

namespace qcbak::source {
namespace {

constexpr std::size_t kMountsLimit = 4U << 20;
constexpr std::size_t kValueLimit = 64U << 10;

std::string number_text(dev_t device) { return std::to_string(major(device)) + ":" + std::to_string(minor(device)); }

// A small file of sysfs; empty when it is not there.
std::string value_of(const std::string& path) {
  try {
    const std::string text = to_string(read_file(path, kValueLimit));
    return text.substr(0, text.find('\n'));
  } catch (const Error&) {
    return "";
  }
}

// "8:1", of the partitions of a device. Also empty where sysfs does not know it.
std::set<std::string> partitions_of(const std::string& number) {
  std::set<std::string> partitions;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/dev/block/" + number, none))
    if (std::filesystem::exists(entry.path() / "partition", none)) partitions.insert(value_of(entry.path() / "dev"));
  return partitions;
}

// mountinfo writes a blank as "\040".
std::string unescaped(const std::string& word) {
  std::string text;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (word[i] == '\\' && i + 3 < word.size()) {
      text += static_cast<char>(std::stoi(word.substr(i + 1, 3), nullptr, 8));
      i += 3;
    } else {
      text += word[i];
    }
  }
  return text;
}

struct Mount {
  std::string device;  // "8:1"; of what stands for several, as btrfs, its source's
  std::string point;
  bool writable = true;
};

bool is_read_only(const std::string& options) { return (options + ",").starts_with("ro,"); }

// proc(5), mountinfo: id, parent, number, root, point, options, optional fields, "-", type, source, the file system's options.
std::vector<Mount> mounts() {
  std::vector<Mount> all;
  std::istringstream lines(to_string(read_file("/proc/self/mountinfo", kMountsLimit)));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string id, parent, device, root, point, options, word, type, source, file_system_options;
    words >> id >> parent >> device >> root >> point >> options;
    while (words >> word && word != "-") continue;
    words >> type >> source >> file_system_options;
    struct stat status {};
    if (device.starts_with("0:") && ::stat(unescaped(source).c_str(), &status) == 0 && S_ISBLK(status.st_mode))
      device = number_text(status.st_rdev);
    // Of a bind mount only the second says whether the file system itself is written to.
    all.push_back({device, unescaped(point), !is_read_only(file_system_options)});
  }
  return all;
}

}  // namespace

UniqueFd open_exclusively(const std::string& path, int flags) {
  UniqueFd fd(::open(path.c_str(), flags | O_EXCL | O_CLOEXEC));
  if (!fd && errno != EBUSY) throw_errno("open", path);
  return fd;
}

DeviceUse use_of(dev_t device) {
  const std::string number = number_text(device);
  const std::set<std::string> partitions = partitions_of(number);
  DeviceUse use;
  for (const Mount& mount : mounts()) {
    const bool on_partition = partitions.contains(mount.device);
    if (mount.device != number && !on_partition) continue;
    if (use.kind == DeviceUse::Kind::writable || (use.kind == DeviceUse::Kind::read_only && !mount.writable)) continue;
    use.kind = mount.writable ? DeviceUse::Kind::writable : DeviceUse::Kind::read_only;
    use.by = (on_partition ? "one of its partitions is mounted" : "it is mounted") +
             std::string(mount.writable ? " at " : " read-only at ") + mount.point;
  }
  if (use.kind == DeviceUse::Kind::none)
    use = {DeviceUse::Kind::writable, "it is in use: as swap space, or by LVM, RAID or the like"};
  return use;
}

std::uint64_t device_size(int fd, const std::string& path) {
  std::uint64_t size = 0;
  if (::ioctl(fd, BLKGETSIZE64, &size) != 0) throw_errno("find the size of", path);
  return size;
}

std::string loop_device_over(const struct stat& file) {
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/block", none)) {
    const std::string backing = value_of(entry.path() / "loop/backing_file");
    struct stat status {};
    if (!backing.empty() && ::stat(backing.c_str(), &status) == 0 && status.st_dev == file.st_dev &&
        status.st_ino == file.st_ino)
      return "/dev/" + entry.path().filename().string();
  }
  return "";
}

}  // namespace qcbak::source
