#include "wipe/overwrite.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "wipe/firmware_steps.h"
#include "wipe/sample.h"
#include "wipe/step_worker.h"

namespace qcbak::wipe {
namespace {

constexpr int kBlockAttempts = 3;  // at one physical block, after the fault that set it aside

// Ends the attempts of one step at what its faults left.
class Patience {
 public:
  Patience(const OverwriteOptions& options, const Clock& clock)
      : left_(options.attempts_limit), clock_(clock), until_ns_(clock.monotonic_ns() + options.attempts_ns) {}
  bool spend() {
    if (left_ == 0 || clock_.monotonic_ns() > until_ns_) return false;
    --left_;
    return true;
  }

 private:
  std::uint32_t left_;
  const Clock& clock_;
  std::int64_t until_ns_;
};

// Two halves, the first of whole blocks.
std::pair<Range, Range> halves(Range range, std::uint32_t block_bytes) {
  const std::uint64_t blocks = (range.size_bytes + block_bytes - 1) / block_bytes;
  const std::uint64_t first = blocks / 2 * block_bytes;
  return {{range.offset, first}, {range.offset + first, range.size_bytes - first}};
}

// What of a range that was set aside is still to be tried, the next at the end. Halving adds one for each time it is halved.
using Undone = std::vector<Range>;

void halve(Undone& undone, Range part, std::uint32_t block_bytes) {
  const auto [first, second] = halves(part, block_bytes);
  undone.push_back(second);
  undone.push_back(first);
}

// A single block: several attempts, and the last word on it.
void settle_block(StepWorker& worker, Range block, Patience& patience) {
  for (int i = 0; i < kBlockAttempts; ++i) {
    if (!patience.spend()) return worker.give_up_untried(block);
    if (worker.retry(block)) return;
  }
  worker.give_up(block);
}

// Several blocks: what is not done at the first attempt is halved.
void settle_part(StepWorker& worker, Range part, Undone& undone, Patience& patience) {
  if (!patience.spend()) return worker.give_up_untried(part);
  worker.retry(part);
  const Range left = worker.undone();
  if (left.size_bytes > worker.block_bytes())
    halve(undone, left, worker.block_bytes());
  else if (left.size_bytes > 0)
    undone.push_back(left);
}

void settle(StepWorker& worker, Range range, Patience& patience) {
  Undone undone{range};
  while (!undone.empty()) {
    const Range part = undone.back();
    undone.pop_back();
    if (part.size_bytes <= worker.block_bytes())
      settle_block(worker, part, patience);
    else
      settle_part(worker, part, undone, patience);
  }
}

void add_all(RangeSet& set, const RangeSet& more) {
  for (const Range& range : more.ranges()) set.add(range);
}

class Run {
 public:
  Run(BlockDevice& device, const ConfirmedTarget& target, const Plan& plan, Journal& journal,
      const OverwriteOptions& options, const Clock& clock, std::stop_token stop)
      : device_(device),
        target_(target),
        plan_(plan),
        journal_(journal),
        options_(options),
        clock_(clock),
        stop_(std::move(stop)),
        size_bytes_(device.geometry().size_bytes),
        progress_(journal.last().value_or(Progress{})),
        earlier_heat_(progress_.heat) {}

  Progress run() {
    const std::size_t first = first_index();
    if (first == plan_.steps.size()) return progress_;
    if (progress_.steps.empty()) require_possible(device_, target_, plan_, clock_);
    begin_segment(first);
    StepEnd end = StepEnd::reached;
    for (index_ = first; index_ < plan_.steps.size() && end == StepEnd::reached; ++index_) end = do_step();
    return progress_;
  }

 private:
  bool is_under_way(std::size_t index) const {
    return index < progress_.steps.size() && progress_.steps[index].began && !progress_.steps[index].ended;
  }

  std::size_t first_index() const {
    const std::size_t reached = progress_.steps.size();
    return reached > 0 && is_under_way(reached - 1) ? reached - 1 : reached;
  }

  void begin_segment(std::size_t index) {
    if (progress_.segments.size() == kSegmentLimit) return;
    const std::uint64_t offset =
        is_under_way(index) && writes(plan_.steps[index]) ? progress_.steps[index].watermark : 0;
    progress_.segments.push_back({clock_.now(), clock_.now(), static_cast<std::uint32_t>(index), offset});
  }

  StepEnd do_step() {
    if (!overwrites(plan_.steps[index_])) return do_firmware_step();
    const Mode mode = writes(plan_.steps[index_]) ? Mode::write : Mode::read_back;
    take_up_step(mode);
    const RangeSet skipped = skipped_ranges(mode);
    std::vector<StepWorker> workers = make_workers(mode);
    go_over_the_disk(workers, skipped);
    settle_what_was_set_aside(workers.front());
    step_.lock()->ended = clock_.now();
    make_durable();
    return StepEnd::reached;
  }

  StepEnd do_firmware_step() {
    if (!is_under_way(index_)) begin_step();
    StepProgress progress = progress_.steps[index_];
    const auto save = [&] {
      *step_.lock() = progress;
      record();
    };
    FirmwareEraseOptions options = options_.firmware;
    options.progress = [&](const Polled& polled) { report_polled(polled); };
    const StepEnd end = wipe::do_firmware_step({device_, target_, plan_.steps[index_], journal_.beginning().secret,
                                                options, clock_, stop_, progress, progress_, save});
    size_bytes_ = device_.geometry().size_bytes;
    // Nothing to flush: what the firmware did is done, and a disk that failed at it takes no flush any more.
    if (end == StepEnd::reached) progress.ended = clock_.now();
    save();
    return end;
  }

  void report_polled(const Polled& polled) {
    constexpr std::uint64_t kWhole = 65536;
    if (options_.firmware.progress) options_.firmware.progress(polled);
    report(size_bytes_ / kWhole * polled.progress.value_or(0));
  }

  // What was not written need not be read; of a sample, what is not in it.
  RangeSet skipped_ranges(Mode mode) const {
    RangeSet skipped;
    if (mode == Mode::write) return skipped;
    if (plan_.steps[index_].kind == StepKind::sample)
      skipped = outside_of(sample_places(device_.geometry(), index_, journal_.beginning().secret));
    add_all(skipped, progress_.steps[written_index()].bad);
    return skipped;
  }

  RangeSet outside_of(const RangeSet& places) const {
    RangeSet rest;
    for (const Range& range : places.outside({0, size_bytes_})) rest.add(range);
    return rest;
  }

  std::size_t written_index() const { return writing_step(plan_, index_); }

  void take_up_step(Mode mode) {
    if (!is_under_way(index_)) return begin_step();
    *step_.lock() = progress_.steps[index_];
    if (mode == Mode::read_back)
      start_reading_anew();
    else
      check_before_watermark();
    record();  // that it goes on from here, before it does; nothing was written that would have to be flushed
  }

  void begin_step() {
    progress_.steps.emplace_back().began = clock_.now();
    *step_.lock() = progress_.steps.back();
    make_durable();
  }

  // What was read before the interruption may have been changed since. What was found wrong, and what was healed, stays known.
  void start_reading_anew() {
    auto step = step_.lock();
    StepProgress anew;
    anew.began = step->began;
    anew.errors = step->errors;
    anew.retries = step->retries;
    anew.mismatching = step->mismatching;
    anew.healed = step->healed;
    *step = anew;
  }

  void check_before_watermark() {
    StepProgress before = *step_.lock();
    Guarded<StepProgress> found;
    StepWorker reader(device_, Mode::read_back, content(), found, options_.chunk_bytes);
    const std::uint64_t from = before.watermark - std::min(before.watermark, options_.resume_check_bytes);
    RangeSet skipped = before.bad;
    add_all(skipped, before.set_aside);
    for (std::uint64_t at = from / options_.chunk_bytes * options_.chunk_bytes; at < before.watermark;
         at += options_.chunk_bytes)
      take_outside(reader, {at, std::min<std::uint64_t>(options_.chunk_bytes, before.watermark - at)}, skipped);
    const StepProgress seen = *found.lock();
    *step_.lock() = seen.mismatching.empty() ? with_unreadable(before, seen) : begun_anew(before);
  }

  static StepProgress with_unreadable(StepProgress step, const StepProgress& found) {
    step.errors += found.errors;
    step.done_bytes -= found.set_aside.total_bytes();
    add_all(step.set_aside, found.set_aside);
    return step;
  }

  static StepProgress begun_anew(const StepProgress& step) {
    StepProgress anew;
    anew.began = step.began;
    anew.errors = step.errors;
    anew.retries = step.retries;
    anew.restarts = step.restarts + 1;
    return anew;
  }

  PassContent content() const { return PassContent(plan_, written_index(), journal_.beginning().secret); }

  std::vector<StepWorker> make_workers(Mode mode) {
    const PassContent content = this->content();
    std::vector<StepWorker> workers;
    for (unsigned i = 0; i < options_.requests_at_once; ++i)
      workers.emplace_back(device_, mode, content.copy_for_thread(), step_, options_.chunk_bytes);
    return workers;
  }

  Range chunk_at(std::uint64_t offset) const {
    return {offset, std::min<std::uint64_t>(options_.chunk_bytes, size_bytes_ - offset)};
  }

  static void take_outside(StepWorker& worker, Range chunk, const RangeSet& skipped) {
    for (const Range& range : skipped.outside(chunk)) worker.take(range);
  }

  void go_over_the_disk(std::vector<StepWorker>& workers, const RangeSet& skipped) {
    std::uint64_t at = step_.lock()->watermark;
    while (at < size_bytes_) {
      at = go_over_stretch(workers, at, skipped);
      step_.lock()->watermark = at;
      // The end of a step is made durable with all that belongs to it.
      if (at < size_bytes_) make_durable();
      require_not_stopped();
    }
  }

  // Chunks of one stretch of the disk, handed out in order to whoever asks. Whatever was handed out has been dealt with once
  // all who asked are gone, unless one of them failed.
  struct Stretch {
    std::uint64_t to;
    std::int64_t until_ns;
    std::atomic<std::uint64_t> next;
    std::atomic<bool> ends_early = false;
    Guarded<std::exception_ptr> failure = {};
  };

  // From `from` on, several chunks at once, until a watermark is due. Everything before what it gives was taken.
  std::uint64_t go_over_stretch(std::vector<StepWorker>& workers, std::uint64_t from, const RangeSet& skipped) {
    const std::uint64_t chunks = std::max<std::uint64_t>(1, options_.watermark_bytes / options_.chunk_bytes);
    Stretch stretch{std::min(size_bytes_, from + chunks * options_.chunk_bytes),
                    clock_.monotonic_ns() + options_.watermark_ns, from};
    {
      std::vector<std::jthread> threads;
      for (StepWorker& worker : workers) threads.emplace_back([&] { work_on_stretch(worker, stretch, skipped); });
    }
    if (*stretch.failure.lock()) std::rethrow_exception(*stretch.failure.lock());
    return std::min(stretch.next.load(), stretch.to);
  }

  void work_on_stretch(StepWorker& worker, Stretch& stretch, const RangeSet& skipped) try {
    while (!stretch.ends_early) {
      if (options_.cooling != nullptr) options_.cooling->rest_if_hot();
      const std::uint64_t at = stretch.next.fetch_add(options_.chunk_bytes);
      if (at >= stretch.to) return;
      take_outside(worker, chunk_at(at), skipped);
      report(chunk_at(at).end());
      if (stop_.stop_requested() || clock_.monotonic_ns() >= stretch.until_ns) stretch.ends_early = true;
    }
  } catch (...) {
    stretch.ends_early = true;
    *stretch.failure.lock() = std::current_exception();
  }

  void settle_what_was_set_aside(StepWorker& worker) {
    Patience patience(options_, clock_);
    for (RangeSet left = step_.lock()->set_aside; !left.empty(); left = step_.lock()->set_aside) {
      const Range& first = left.ranges().front();
      const Range piece{first.offset, std::min<std::uint64_t>(first.size_bytes, options_.chunk_bytes)};
      step_.lock()->set_aside.remove(piece);
      settle(worker, piece, patience);
      require_not_stopped();
    }
  }

  void report(std::uint64_t done_bytes) {
    if (!options_.progress) return;
    const std::lock_guard lock(report_mutex_);
    options_.progress({index_, done_bytes, size_bytes_});
  }

  // First the disk, then the journal: what the journal says is on the disk.
  void make_durable() {
    device_.flush();
    record();
  }

  void record() {
    progress_.steps[index_] = *step_.lock();
    progress_.segments.back().last = clock_.now();
    if (options_.cooling != nullptr) progress_.heat = sum(earlier_heat_, options_.cooling->heat());
    journal_.append(progress_);
  }

  void require_not_stopped() {
    if (!stop_.stop_requested()) return;
    make_durable();
    throw Error(ErrorCode::interrupted, "stopped in step " + std::to_string(index_ + 1) + " of " +
                                            std::to_string(plan_.steps.size()) + "; the journal tells how far it went");
  }

  BlockDevice& device_;
  const ConfirmedTarget& target_;
  const Plan& plan_;
  Journal& journal_;
  const OverwriteOptions& options_;
  const Clock& clock_;
  std::stop_token stop_;
  std::uint64_t size_bytes_;
  Progress progress_;
  std::optional<Heat> earlier_heat_;  // of the segments before this one
  std::size_t index_ = 0;       // of the step that runs
  Guarded<StepProgress> step_;  // likewise
  std::mutex report_mutex_;
};

void check_options(const OverwriteOptions& options) {
  check(options.chunk_bytes > 0 && options.chunk_bytes % kPatternTileBytes == 0, "chunks consist of tiles");
  check(options.requests_at_once > 0, "somebody does the work");
}

[[noreturn]] void refuse(const BlockDevice& device, const std::string& reason) {
  throw Error(ErrorCode::refused, device.name() + ": " + reason);
}

void require_one_job(const BlockDevice& device, const ConfirmedTarget& target, const Plan& plan,
                     const Journal& journal) {
  const JobBeginning& beginning = journal.beginning();
  if (is_destruction(plan)) refuse(device, "it was approved for destruction only");
  if (plan_hash(plan) != target.approved().plan_hash) refuse(device, "another plan was approved than " + plan.name);
  if (beginning.plan_document != document(plan)) refuse(device, "the journal is of another plan than " + plan.name);
  const std::vector<std::uint64_t> sizes = sizes_of_disk(beginning, journal.last() ? &*journal.last() : nullptr);
  if (beginning.identity != target.identity() || beginning.size_bytes != target.approved().size_bytes ||
      std::ranges::find(sizes, target.geometry().size_bytes) == sizes.end())
    refuse(device, "the journal is of another disk");
  target.require_same(device);
}

std::vector<std::string> describe_contents(const Plan& plan, const JobSecret& secret) {
  std::vector<std::string> contents;
  for (std::size_t i = 0; i < plan.steps.size(); ++i)
    contents.push_back(writes(plan.steps[i]) ? PassContent(plan, i, secret).description() : "");
  return contents;
}

}  // namespace

JobBeginning begin_job(const ConfirmedTarget& target, const Plan& plan, const Clock& clock, Random& random) {
  return {document(plan),
          target.identity(),
          target.geometry().size_bytes,
          target.geometry().physical_block_bytes,
          JobSecret::random(random),
          clock.now(),
          {},
          {}};
}

OverwriteResult overwrite(BlockDevice& device, ConfirmedTarget target, const Plan& plan, Journal& journal,
                          const OverwriteOptions& options, const Clock& clock, std::stop_token stop) {
  check_options(options);
  require_one_job(device, target, plan, journal);
  Progress progress = Run(device, target, plan, journal, options, clock, std::move(stop)).run();
  Geometry approved_geometry = target.geometry();
  approved_geometry.size_bytes = journal.beginning().size_bytes;
  return {target.approved(),  target.identity(),
          approved_geometry,  plan,
          plan_hash(plan),    describe_contents(plan, journal.beginning().secret),
          std::move(progress)};
}

}  // namespace qcbak::wipe
