#include "wipe/firmware_erase.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/error.h"
#include "wipe/hidden_areas.h"
#include "wipe/remains.h"

namespace qcbak::wipe {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kFloorNs = 3600 * kSecondNs;
constexpr std::int64_t kCeilingNs = 14 * 24 * 3600 * kSecondNs;
constexpr std::int64_t kAssumedCryptoS = 600;
constexpr std::int64_t kAssumedBlockS = 3600;
constexpr std::uint64_t kAssumedBytesPerSecond = 20'000'000;  // of overwriting

struct Row {
  bool (*applies)(const ErasureFacts&);
  ErasureAssessment assessment;
};

// In the order of docs/sanitisation.md "What it amounts to": the first that applies decides.
constexpr Row kTable[] = {
    {[](const ErasureFacts& f) { return f.acceptance == Acceptance::refused; },
     {ErasureOutcome::failed, "the disk refused a command that it says it has"}},
    {[](const ErasureFacts& f) { return f.completion == Completion::failed; },
     {ErasureOutcome::failed, "the disk said that it could not erase itself"}},
    {[](const ErasureFacts& f) { return f.acceptance == Acceptance::unseen; },
     {ErasureOutcome::unknown, "nobody saw the disk accept the command"}},
    {[](const ErasureFacts& f) { return f.completion == Completion::unseen; },
     {ErasureOutcome::unknown, "nobody saw the erasure come to its end"}},
    {[](const ErasureFacts& f) { return f.password_remains; },
     {ErasureOutcome::failed, "the disk kept the password \"qcbak\", which the erasure needed"}},
    {[](const ErasureFacts& f) { return f.markers == Markers::unchanged; },
     {ErasureOutcome::failed, "the disk said that it was erased, and what was written before is still there"}},
    {[](const ErasureFacts& f) { return f.signatures_remain; },
     {ErasureOutcome::failed, "the disk said that it was erased, and known formats are still on it"}},
    {[](const ErasureFacts& f) { return f.markers == Markers::unreadable; },
     {ErasureOutcome::unknown, "the disk said that it was erased, and that cannot be read back"}},
    {[](const ErasureFacts& f) { return f.hidden_areas_remain; },
     {ErasureOutcome::unknown, "a part of the disk is hidden, and nobody could look at it"}},
    {[](const ErasureFacts&) { return true; },
     {ErasureOutcome::erased, "the command was seen accepted and completed, and all markers were gone"}},
};

void sleep_for(std::int64_t ns) { std::this_thread::sleep_for(std::chrono::nanoseconds(ns)); }

// From IEEE 2883 those that reach what nobody can address; what a disk can only say of its keys comes after what it does to
// its cells.
constexpr FirmwareMethod kPurgeOrder[] = {
    FirmwareMethod::ata_sanitize_block,      FirmwareMethod::ata_sanitize_overwrite,
    FirmwareMethod::ata_sanitize_crypto,     FirmwareMethod::ata_secure_erase_enhanced,
    FirmwareMethod::nvme_sanitize_block,     FirmwareMethod::nvme_sanitize_overwrite,
    FirmwareMethod::nvme_sanitize_crypto,    FirmwareMethod::scsi_sanitize_block,
    FirmwareMethod::scsi_sanitize_overwrite, FirmwareMethod::scsi_sanitize_crypto,
};

class Erasing {
 public:
  Erasing(BlockDevice& device, CommandChannel& channel, const ConfirmedTarget& target, FirmwareMethod asked,
          const JobSecret& secret, std::optional<FirmwareProgress> last, const SaveFirmwareProgress& save,
          const FirmwareEraseOptions& options, const Clock& clock, std::stop_token stop)
      : device_(device),
        target_(target),
        asked_(asked),
        secret_(secret),
        is_resumed_(last.has_value()),
        progress_(std::move(last).value_or(FirmwareProgress{})),
        save_(save),
        options_(options),
        clock_(clock),
        stop_(std::move(stop)),
        transcript_(channel, clock, progress_.commands) {}

  FirmwareProgress run() {
    open();
    if (is_resumed_) require_asked(progress_.method);
    if (!is_resumed_ || !goes_on()) begin_anew();
    return finish();
  }

  void require_possible() {
    open();
    choose();
    require_no_obstacle();
  }

 private:
  [[noreturn]] void refuse(std::string_view sentence) const {
    throw Error(ErrorCode::refused, device_.name() + ": " + std::string(sentence));
  }

  void open() {
    require_same();
    drive_ = in_context(device_.name(), [&] { return open_firmware(transcript_); });
    require_same_serial();
  }

  void require_no_obstacle() {
    if (const std::optional<std::string> obstacle = drive_->obstacle(progress_.method)) refuse(*obstacle);
  }

  // Its size may have grown since, by what was hidden.
  void require_same() const {
    if (device_.identity() != target_.identity()) refuse("it is not the disk any more that was confirmed");
  }

  // A bridge answers for itself, and may pass commands to another disk than the one that was approved.
  void require_same_serial() const {
    const std::string serial = drive_->serial();
    if (!serial.empty() && serial != target_.identity().serial)
      refuse("its firmware reports the serial " + printable(serial) + ", and not the one that was confirmed");
  }

  void require_asked(FirmwareMethod chosen) const {
    if (asked_ == FirmwareMethod::purge_auto ? method_row(chosen).category != Category::purge : asked_ != chosen)
      refuse("the job was begun with another method, " + std::string(method_name(chosen)));
  }

  void save(FirmwarePhase phase) {
    progress_.phase = phase;
    progress_.commands = transcript_.records();
    save_(progress_);
  }

  // After a restart: whether there is an erasure of this job to be followed. When nobody saw its command accepted, and it
  // does not run, sending it again is the one thing that is right in every case.
  bool goes_on() {
    if (progress_.phase == FirmwarePhase::completed) return true;
    if (!method_row(progress_.method).is_sanitize) {
      if (progress_.phase >= FirmwarePhase::sending && !drive_->take_back(progress_.method))
        refuse("a run that was cut off left the password \"qcbak\", and the disk does not give it up now");
      return false;
    }
    if (progress_.phase < FirmwarePhase::sending) return false;
    const std::optional<Polled> polled = drive_->poll(progress_.method);
    if (progress_.phase == FirmwarePhase::sending && (!polled || polled->state != SanitizeState::running)) return false;
    take_acceptance();
    return true;
  }

  void begin_anew() {
    choose();
    require_no_obstacle();
    forget_the_last_attempt();
    show_what_is_hidden();
    mark();
    require_same();
    limit_ns_ = limit_ns();
    save(FirmwarePhase::sending);
    take_reply(in_context(device_.name(), [&] { return drive_->begin(progress_.method, limit_ns_); }));
  }

  void choose() {
    if (is_resumed_) return;
    progress_.method = asked_;
    if (asked_ != FirmwareMethod::purge_auto) return;
    const auto* const found = std::ranges::find_if(kPurgeOrder, [&](FirmwareMethod m) { return drive_->reports(m); });
    if (found == std::end(kPurgeOrder)) refuse("the disk reports no command of its own that amounts to Purge");
    progress_.method = *found;
  }

  void forget_the_last_attempt() {
    progress_.acceptance = Acceptance::unseen;
    progress_.completion = Completion::unseen;
    progress_.password_remains = false;
  }

  void show_what_is_hidden() {
    const auto save_found = [this](const std::vector<HiddenArea>& found) {
      progress_.hidden_areas = found;
      save(FirmwarePhase::begun);
    };
    progress_.hidden_areas = in_context(
        device_.name(), [&] { return remove_hidden_areas(transcript_, progress_.hidden_areas, save_found); });
  }

  void mark() {
    save(FirmwarePhase::begun);
    ++progress_.attempt;
    progress_.marker_offsets = write_markers(device_, MarkerContent(secret_, progress_.attempt));
    // With fewer nobody could tell an erasure of a part from one of the whole.
    if (progress_.marker_offsets.size() * 4 < marker_offsets(device_.geometry()).size() * 3)
      refuse("what is written to it does not stay, so that nobody could tell an erased disk from one that is not");
    save(FirmwarePhase::marked);
  }

  std::int64_t limit_ns() {
    return erasure_limit_ns(progress_.method, drive_->estimate_s(progress_.method), device_.geometry().size_bytes);
  }

  void take_reply(Reply reply) {
    if (reply == Reply::refused) {
      progress_.acceptance = Acceptance::refused;
    } else if (method_row(progress_.method).is_sanitize) {
      if (reply == Reply::done || is_running()) take_acceptance();
    } else if (reply == Reply::done) {
      progress_.acceptance = Acceptance::seen;
      progress_.completion = Completion::seen;
    }
  }

  void take_acceptance() {
    progress_.acceptance = Acceptance::seen;
    progress_.completion = Completion::unseen;
    save(FirmwarePhase::accepted);
    follow();
  }

  // A command whose answer was lost has been accepted when the disk is seen at it.
  bool is_running() {
    const std::optional<Polled> polled = drive_->poll(progress_.method);
    return polled && polled->state == SanitizeState::running;
  }

  // To the end of the sanitising, or of patience with it. Polls without an answer that can be read are borne until then.
  void follow() {
    const std::int64_t until_ns = clock_.monotonic_ns() + (limit_ns_ == 0 ? limit_ns_ = limit_ns() : limit_ns_);
    std::optional<std::uint16_t> last_progress;
    std::int64_t moved_ns = clock_.monotonic_ns();
    for (;;) {
      const std::optional<Polled> polled = drive_->poll(progress_.method);
      if (polled && polled->state != SanitizeState::running) return take_end(polled->state);
      if (polled && polled->progress != last_progress) {
        last_progress = polled->progress;
        moved_ns = clock_.monotonic_ns();
      }
      if (polled && options_.progress) options_.progress(*polled);
      if (clock_.monotonic_ns() >= until_ns || clock_.monotonic_ns() - moved_ns >= options_.stuck_ns) return;
      if (stop_.stop_requested()) interrupt();
      options_.wait ? options_.wait(options_.poll_ns) : sleep_for(options_.poll_ns);
    }
  }

  [[noreturn]] void interrupt() {
    save(FirmwarePhase::accepted);
    throw Error(ErrorCode::interrupted, device_.name() + ": stopped while the disk erases itself; it goes on doing so");
  }

  void take_end(SanitizeState state) {
    if (state == SanitizeState::succeeded) progress_.completion = Completion::seen;
    if (state == SanitizeState::failed) progress_.completion = Completion::failed;
  }

  FirmwareProgress finish() {
    progress_.password_remains = !drive_->take_back(progress_.method);
    save(progress_.completion == Completion::seen ? FirmwarePhase::completed : progress_.phase);
    return progress_;
  }

  BlockDevice& device_;
  const ConfirmedTarget& target_;
  FirmwareMethod asked_;
  const JobSecret& secret_;
  bool is_resumed_;
  FirmwareProgress progress_;
  const SaveFirmwareProgress& save_;
  const FirmwareEraseOptions& options_;
  const Clock& clock_;
  std::stop_token stop_;
  Transcript transcript_;
  std::unique_ptr<FirmwareDrive> drive_;
  std::int64_t limit_ns_ = 0;
};

std::int64_t assumed_s(Kind kind, std::uint64_t size_bytes) {
  switch (kind) {
    case Kind::crypto: return kAssumedCryptoS;
    case Kind::block: return kAssumedBlockS;
    case Kind::overwrite: return static_cast<std::int64_t>(size_bytes / kAssumedBytesPerSecond);
  }
  return 0;
}

CommandChannel& channel_for(BlockDevice& device, FirmwareMethod method) {
  CommandChannel* const channel = device.commands();
  if (channel == nullptr)
    throw Error(ErrorCode::refused, device.name() + ": its firmware's commands cannot be reached");
  if (method != FirmwareMethod::purge_auto && method_row(method).command_set != channel->command_set())
    throw Error(ErrorCode::refused,
                device.name() + ": " + std::string(method_name(method)) + " is for disks of another kind");
  return *channel;
}

}  // namespace

std::int64_t erasure_limit_ns(FirmwareMethod method, std::optional<std::int64_t> estimate_s, std::uint64_t size_bytes) {
  const std::int64_t seconds = estimate_s.value_or(assumed_s(method_row(method).kind, size_bytes));
  return std::clamp(2 * std::min(seconds, kCeilingNs / kSecondNs) * kSecondNs, kFloorNs, kCeilingNs);
}

ErasureAssessment assess_erasure(const ErasureFacts& facts) {
  for (const Row& row : kTable)
    if (row.applies(facts)) return row.assessment;
  return {ErasureOutcome::unknown, "no row of the table applies"};
}

ErasureFacts erasure_facts(const FirmwareProgress& progress, const Remains& remains) {
  return {progress.acceptance,
          progress.completion,
          remains.markers(),
          !remains.signatures.empty(),
          !std::ranges::all_of(progress.hidden_areas, &HiddenArea::removed),
          progress.password_remains};
}

void require_erasable(BlockDevice& device, const ConfirmedTarget& target, FirmwareMethod method, const Clock& clock) {
  const SaveFirmwareProgress nowhere;
  const FirmwareEraseOptions options;
  Erasing(device, channel_for(device, method), target, method, JobSecret(), std::nullopt, nowhere, options, clock, {})
      .require_possible();
}

FirmwareProgress run_erasure(BlockDevice& device, const ConfirmedTarget& target, FirmwareMethod method,
                             const JobSecret& secret, std::optional<FirmwareProgress> last,
                             const SaveFirmwareProgress& save, const FirmwareEraseOptions& options, const Clock& clock,
                             std::stop_token stop) {
  return Erasing(device, channel_for(device, method), target, method, secret, std::move(last), save, options, clock,
                 std::move(stop))
      .run();
}

}  // namespace qcbak::wipe
