#include "wipe/temperature_sensor.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "wipe/health.h"

namespace qcbak::wipe {
namespace {

namespace fs = std::filesystem;

UniqueFd open_in(const fs::path& directory) {
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    if (!entry->path().filename().string().starts_with("hwmon")) continue;
    UniqueFd fd(::open((entry->path() / "temp1_input").c_str(), O_RDONLY | O_CLOEXEC));
    if (fd) return fd;
  }
  return UniqueFd();
}

}  // namespace

// A SCSI disk has its sensors in a directory of their own, an NVMe controller beside its other files.
TemperatureSensor::TemperatureSensor(const std::string& sysfs) : fd_(open_in(sysfs + "/device/hwmon")) {
  if (!fd_) fd_ = open_in(sysfs + "/device");
}

std::optional<std::uint64_t> TemperatureSensor::read() const {
  std::array<char, 32> text{};
  const ssize_t size = fd_ ? ::pread(fd_.get(), text.data(), text.size(), 0) : -1;
  return size <= 0 ? std::nullopt : parse_sensor(std::string_view(text.data(), static_cast<std::size_t>(size)));
}

}  // namespace qcbak::wipe
