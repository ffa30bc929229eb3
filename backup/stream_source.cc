#include "backup/stream_source.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "backup/content_storer.h"
#include "base/error.h"
#include "base/shell_command.h"

namespace qcbak {
namespace {

using pipeline::TreeEvent;

constexpr std::size_t kNameLimit = 255;
constexpr std::int64_t kNsInSecond = 1'000'000'000;

// "/" as it is here: what a restore of everything would put onto the target.
source::Status root_status() {
  const UniqueFd root = source::open_directory_at(AT_FDCWD, "/", "/");
  source::Status status = source::status_of(root.get(), "/");
  source::capture_details(root.get(), "/", status.metadata);
  return status;
}

// Of who runs this, and nobody else's business.
source::Status stream_status(Time began) {
  source::Status status;
  status.metadata.mode = 0600;
  status.metadata.uid = ::geteuid();
  status.metadata.gid = ::getegid();
  status.metadata.mtime_s = began.ns / kNsInSecond;
  status.metadata.mtime_ns = static_cast<std::uint32_t>(began.ns % kNsInSecond);
  return status;
}

std::size_t read_input(int fd, MutableByteView into, const StopEvent& stop) {
  std::size_t total = 0;
  while (total < into.size()) {
    stop.wait_to_read(fd, "the input");
    const ssize_t got = ::read(fd, into.data() + total, into.size() - total);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) throw_errno("read", "the input");
    if (got == 0) break;
    total += static_cast<std::size_t>(got);
  }
  return total;
}

// A file below "/". `conclude` is told how many bytes there were, and throws when they are not to be kept.
void send_stream(SourceStages& stages, const std::string& name, const Feeder::Read& read,
                 const std::function<void(std::uint64_t size)>& conclude) {
  Feeder& feeder = stages.feeder;
  feeder.begin_directory(TreeEvent::Place::above);
  TreeEvent entry;
  entry.name = name;
  entry.job = std::make_shared<pipeline::FileJob>("/" + name, stream_status(stages.clock.now()));
  pipeline::JobShare share(entry.job);
  feeder.begin_content(entry.job);
  const std::uint64_t size = feeder.add_data(entry.job, 0, Feeder::kToTheEnd, read);
  feeder.end_content(entry.job);
  conclude(size);
  if (entry.job->parts.size() > repository::kFilePartsLimit)
    throw Error(ErrorCode::failed, "the stream is in more pieces than a file may have");
  entry.job->status.metadata.size_bytes = size;
  entry.job->outcome = pipeline::FileJob::Outcome::kept;
  share.finish();
  ++stages.counts.files_new;
  ++stages.progress.done_files;
  feeder.send(std::move(entry), size);
  feeder.end_directory("", root_status());
}

}  // namespace

void check_stream_name(const std::string& name) {
  if (name.empty() || name == "." || name == ".." || name.size() > kNameLimit || name.find('/') != std::string::npos)
    throw Error(ErrorCode::usage, "\"" + printable(name) + "\" is no name for a file")
        .with_hint("a name is of 1 to 255 bytes, without '/'");
}

CommandSource::CommandSource(std::string command, std::string name)
    : command_(std::move(command)), name_(std::move(name)) {
  check_stream_name(name_);
}

void CommandSource::feed(SourceStages& stages) {
  const StopEvent stop(stages.stop);
  ShellCommand running(command_);
  const auto fail = [&](const std::string& how) {
    throw Error(ErrorCode::failed,
                "the command \"" + printable(command_) + "\" " + how + ": there is no snapshot of it")
        .with_hint("run it by hand to see what it says; it must print what is to be kept, and end with 0");
  };
  send_stream(
      stages, name_, [&](MutableByteView into, std::uint64_t) { return running.read(into, stop); },
      [&](std::uint64_t size) {
        const ShellCommand::Ending ending = running.wait(stop);
        if (!ending.good()) fail(ending.text());
        if (size == 0) fail("printed nothing");
      });
}

InputSource::InputSource(int fd, std::string name) : fd_(fd), name_(std::move(name)) { check_stream_name(name_); }

void InputSource::feed(SourceStages& stages) {
  const StopEvent stop(stages.stop);
  send_stream(
      stages, name_, [&](MutableByteView into, std::uint64_t) { return read_input(fd_, into, stop); },
      [](std::uint64_t size) {
        if (size == 0)
          throw Error(ErrorCode::failed, "nothing came on the input: there is no snapshot of it")
              .with_hint("of a command, let qcbak see how it ends: qcbak backup --command CMD --name NAME");
      });
}

}  // namespace qcbak
