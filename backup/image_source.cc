#include "backup/image_source.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "backup/content_storer.h"
#include "backup/image_extents.h"
#include "backup/source/capture.h"
#include "backup/source/device_use.h"
#include "base/error.h"

namespace qcbak {
namespace {

using pipeline::TreeEvent;
using source::DeviceUse;
using source::Extent;

// The least that becomes a hole: smaller ones cost more as parts than as zeros.
constexpr std::size_t kBlock = 256U << 10;

[[noreturn]] void refuse_kind(const std::string& path) {
  throw Error(ErrorCode::usage, printable(path) + " is neither a block device nor a file")
      .with_hint("without --image, files and folders are backed up");
}

// A device or image file, open for reading.
class Image {
 public:
  Image(std::string path, ImageSource::WhileMounted while_mounted);
  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }
  std::uint64_t size_bytes() const { return status_.metadata.size_bytes; }
  const source::Status& status() const { return status_; }
  // What is to be read; all else counts as zeros.
  std::vector<Extent> extents() const;
  // After reading. A finding when it changed meanwhile. Error where what was taken for granted is so no longer.
  void conclude(Findings& findings) const;

 private:
  void ask_who_else(const std::string& device, ImageSource::WhileMounted while_mounted);

  std::string path_;
  UniqueFd fd_;
  UniqueFd alone_;  // held: nobody mounts it meanwhile
  source::Status status_;
  bool device_ = false;
  bool still_ = true;  // nothing changes it while it is read
  dev_t shared_ = 0;   // a device that is mounted read-only: it must not be written to before all is read
};

Image::Image(std::string path, ImageSource::WhileMounted while_mounted) : path_(std::move(path)) {
  struct stat status {};
  if (::stat(path_.c_str(), &status) != 0) throw_errno("read the state of", path_);
  device_ = S_ISBLK(status.st_mode);
  if (!device_ && !S_ISREG(status.st_mode)) refuse_kind(path_);
  const std::string device = device_ ? path_ : source::loop_device_over(status);
  if (!device.empty()) ask_who_else(device, while_mounted);
  fd_ = UniqueFd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd_) throw_errno("open", path_);
  status_ = source::status_of(fd_.get(), path_);
  if (device_) {
    status_.metadata.type = repository::EntryType::file;
    status_.metadata.device = 0;
    status_.metadata.size_bytes = source::device_size(fd_.get(), path_);
  } else {
    source::capture_details(fd_.get(), path_, status_.metadata);
  }
  status_.metadata.link_count = 1;
  status_.metadata.link_device = status_.metadata.link_inode = 0;
}

void Image::ask_who_else(const std::string& device, ImageSource::WhileMounted while_mounted) {
  struct stat status {};
  if (::stat(device.c_str(), &status) != 0) throw_errno("read the state of", device);
  alone_ = source::open_exclusively(device, O_RDONLY);
  if (alone_) return;
  const DeviceUse use = source::use_of(status.st_rdev);
  if (use.kind == DeviceUse::Kind::read_only) {
    shared_ = status.st_rdev;
    return;
  }
  if (while_mounted == ImageSource::WhileMounted::refuse)
    throw Error(ErrorCode::refused, printable(path_) + " can change while it is read: " + printable(use.by))
        .with_hint("unmount it, remount it read-only, or take what comes with --while-mounted crash-consistent");
  still_ = false;
}

std::vector<Extent> Image::extents() const {
  std::vector<Extent> all = {{0, size_bytes()}};
  if (!device_ && status_.allocated_bytes < size_bytes()) all = source::data_extents(fd_.get(), size_bytes(), path_);
  if (!still_) return all;
  const std::vector<Extent> used = used_extents_of_ext4(path_, size_bytes());
  return used.empty() ? all : intersection(all, used);
}

void Image::conclude(Findings& findings) const {
  if (shared_ != 0 && source::use_of(shared_).kind != DeviceUse::Kind::read_only)
    throw Error(ErrorCode::failed, printable(path_) + " did not stay mounted read-only while it was read")
        .with_hint("back it up again");
  if (device_) return;
  const source::Status now = source::status_of(fd_.get(), path_);
  if (now.ctime_s != status_.ctime_s || now.ctime_ns != status_.ctime_ns || now.metadata.size_bytes != size_bytes())
    findings.add(path_, "changed while it was read: what is kept may be a mix of before and after");
}

// Content of an image, block after block, each read once: those that are all zero, or not to be read, gather to holes.
class ImageContent {
 public:
  ImageContent(const Image& image, SourceStages& stages, Feeder::Job job)
      : image_(image), stages_(stages), job_(std::move(job)), extents_(image.extents()), block_(kBlock) {}

  void send() {
    while (at_ < image_.size_bytes()) {
      const std::uint64_t hole_from = at_;
      while (at_ < image_.size_bytes() && next_is_zero()) pass();
      if (at_ > hole_from) stages_.feeder.add_hole(job_, at_ - hole_from);
      if (at_ == image_.size_bytes()) return;
      stages_.feeder.add_data(job_, at_, Feeder::kToTheEnd,
                              [this](MutableByteView into, std::uint64_t) { return copy(into); });
    }
  }

 private:
  std::size_t block_length() const { return std::min<std::uint64_t>(kBlock, image_.size_bytes() - at_); }

  // Over a block of zeros, and straight to where there is something again.
  void pass() {
    const std::uint64_t behind = at_ + block_length();
    const std::uint64_t next =
        extent_ < extents_.size() ? std::max(extents_[extent_].offset, behind) : image_.size_bytes();
    const std::uint64_t to = next == image_.size_bytes() ? next : next / kBlock * kBlock;
    stages_.progress.done_bytes += to - at_;
    at_ = to;
    loaded_ = false;
  }

  // The block that begins at `at_`, with zeros for what is not to be read.
  void load() {
    if (loaded_) return;
    const std::uint64_t end = at_ + block_length();
    while (extent_ < extents_.size() && extents_[extent_].offset + extents_[extent_].length <= at_) ++extent_;
    zero_ = true;
    const MutableByteView block = block_.span().first(block_length());
    if (extent_ < extents_.size() && extents_[extent_].offset < end) {
      std::memset(block.data(), 0, block.size());
      for (std::size_t i = extent_; i < extents_.size() && extents_[i].offset < end; ++i) {
        const std::uint64_t from = std::max(at_, extents_[i].offset);
        const std::uint64_t to = std::min(end, extents_[i].offset + extents_[i].length);
        read(block.subspan(from - at_, to - from), from);
      }
      zero_ = all_zero(block);
    }
    used_ = 0;
    loaded_ = true;
  }

  void read(MutableByteView into, std::uint64_t offset) const {
    if (stages_.stop.stop_requested()) throw Error(ErrorCode::interrupted, "stopped");
    if (pread_full(image_.fd(), into, offset, image_.path()) != into.size())
      throw Error(ErrorCode::failed, printable(image_.path()) + " ended before its end");
  }

  bool next_is_zero() {
    load();
    return zero_;
  }

  // What goes on with data, up to a block of zeros.
  std::size_t copy(MutableByteView into) {
    std::size_t done = 0;
    while (done < into.size() && at_ < image_.size_bytes() && !next_is_zero()) {
      const std::size_t some = std::min(into.size() - done, block_length() - used_);
      std::memcpy(into.data() + done, block_.data() + used_, some);
      done += some;
      used_ += some;
      if (used_ < block_length()) continue;
      at_ += block_length();
      loaded_ = false;
    }
    return done;
  }

  const Image& image_;
  SourceStages& stages_;
  const Feeder::Job job_;
  const std::vector<Extent> extents_;
  PageBuffer block_;
  std::uint64_t at_ = 0;    // where the block begins that is next
  std::size_t extent_ = 0;  // the first that may reach behind there
  bool loaded_ = false;     // it is in block_
  bool zero_ = false;       // all of it
  std::size_t used_ = 0;    // bytes of it that were copied
};

// The directories above the images, and the images in them.
struct Wanted {
  bool image = false;
  std::map<std::string, Wanted> below;
};

class Feeding {
 public:
  Feeding(SourceStages& stages, ImageSource::WhileMounted while_mounted)
      : stages_(stages), while_mounted_(while_mounted) {}

  void directory(const Wanted& wanted, const std::string& name, const std::string& path) {
    const UniqueFd fd = source::open_directory_at(AT_FDCWD, path.empty() ? "/" : path.c_str(), path);
    source::Status status = source::status_of(fd.get(), path);
    source::capture_details(fd.get(), path, status.metadata);
    stages_.feeder.begin_directory(TreeEvent::Place::above);
    for (const auto& [child, below] : wanted.below) {
      if (below.image)
        image(child, path + "/" + child);
      else
        directory(below, child, path + "/" + child);
    }
    stages_.feeder.end_directory(name, std::move(status));
  }

 private:
  void image(const std::string& name, const std::string& path) {
    const Image image(path, while_mounted_);
    stages_.progress.total_bytes += image.size_bytes();
    *stages_.progress.current.lock() = path;
    TreeEvent entry;
    entry.name = name;
    entry.job = std::make_shared<pipeline::FileJob>(path, image.status());
    pipeline::JobShare share(entry.job);
    stages_.feeder.begin_content(entry.job);
    ImageContent(image, stages_, entry.job).send();
    stages_.feeder.end_content(entry.job);
    image.conclude(stages_.findings);
    if (entry.job->parts.size() > repository::kFilePartsLimit)
      throw Error(ErrorCode::failed, printable(path) + " is in more pieces than a file may have");
    entry.job->outcome = pipeline::FileJob::Outcome::kept;
    share.finish();
    ++stages_.counts.files_new;
    ++stages_.progress.done_files;
    stages_.feeder.send(std::move(entry), image.size_bytes());
  }

  SourceStages& stages_;
  const ImageSource::WhileMounted while_mounted_;
};

}  // namespace

ImageSource::ImageSource(const std::vector<std::string>& paths, WhileMounted while_mounted)
    : while_mounted_(while_mounted) {
  for (const std::string& path : paths) paths_.push_back(source::resolve_path(path));
}

void ImageSource::feed(SourceStages& stages) {
  Wanted all;
  for (const std::string& path : paths_) {
    Wanted* at = &all;
    for (std::size_t from = 1; from < path.size();) {
      const std::size_t end = std::min(path.find('/', from), path.size());
      at = &at->below[path.substr(from, end - from)];
      from = end + 1;
    }
    at->image = true;
  }
  if (all.image) refuse_kind("/");
  Feeding(stages, while_mounted_).directory(all, "", "");
}

}  // namespace qcbak
