#include "wipe/step_worker.h"

#include <algorithm>

#include "base/error.h"

namespace qcbak::wipe {
namespace {

// The unit in which faults are told apart: the physical block, unless the disk claims one that chunks do not consist of.
std::uint32_t block_for(const Geometry& geometry, std::size_t chunk_bytes) {
  return chunk_bytes % geometry.physical_block_bytes == 0 ? geometry.physical_block_bytes
                                                          : geometry.logical_sector_bytes;
}

}  // namespace

StepWorker::StepWorker(BlockDevice& device, Mode mode, PassContent content, Guarded<StepProgress>& step,
                       std::size_t chunk_bytes)
    : device_(device),
      mode_(mode),
      content_(std::move(content)),
      step_(step),
      block_bytes_(block_for(device.geometry(), chunk_bytes)),
      buffer_(chunk_bytes) {}

void StepWorker::take(Range range) {
  const Range undone = attempt(range);
  if (undone.size_bytes != 0) step_.lock()->set_aside.add(undone);
}

bool StepWorker::retry(Range range) {
  ++step_.lock()->retries;
  undone_ = attempt(range);
  return undone_.size_bytes == 0;
}

void StepWorker::give_up(Range block) {
  if (mode_ == Mode::read_back && heal(block)) {
    auto step = step_.lock();
    step->healed.add(block);
    step->done_bytes += block.size_bytes;
    return;
  }
  give_up_untried(block);
}

void StepWorker::give_up_untried(Range range) {
  auto step = step_.lock();
  (mode_ == Mode::write ? step->bad : step->unreadable).add(range);
}

Range StepWorker::attempt(Range range) { return mode_ == Mode::write ? write(range) : read_back(range); }

// Calls `io` until the range is done or a fault stops it.
template <class Io>
Range StepWorker::transfer(Range range, Io&& io) {
  std::uint64_t done = 0;
  while (done < range.size_bytes) {
    const Transfer part = io(range.offset + done, memory(range.size_bytes).subspan(done));
    check(part.done_bytes > 0 || part.error != 0, "a transfer of nothing has an error");
    done += part.done_bytes;
    if (part.error == 0) continue;
    ++step_.lock()->errors;
    // The block that failed is done again as a whole: a disk writes no less at once.
    const std::uint64_t undone = std::max(range.offset, (range.offset + done) / block_bytes_ * block_bytes_);
    return {undone, range.end() - undone};
  }
  return {range.end(), 0};
}

// A pattern stands in the memory as long as requests begin where a tile does.
void StepWorker::make_content(Range range) {
  const bool tiled = range.offset % kPatternTileBytes == 0 && content_.pattern().has_value();
  if (tiled && range.size_bytes <= tiled_bytes_) return;
  content_.fill(range.offset, memory(range.size_bytes));
  tiled_bytes_ = tiled ? range.size_bytes : 0;
}

Range StepWorker::write(Range range) {
  make_content(range);
  const Range undone =
      transfer(range, [this](std::uint64_t offset, ByteView bytes) { return device_.write(offset, bytes); });
  step_.lock()->done_bytes += range.size_bytes - undone.size_bytes;
  return undone;
}

Range StepWorker::read_back(Range range) {
  tiled_bytes_ = 0;
  const Range undone =
      transfer(range, [this](std::uint64_t offset, MutableByteView bytes) { return device_.read(offset, bytes); });
  compare(range.offset, memory(range.size_bytes - undone.size_bytes));
  return undone;
}

void StepWorker::compare(std::uint64_t offset, MutableByteView found) {
  while (!found.empty()) {
    const std::size_t same = content_.matching_prefix(offset, found);
    const std::size_t right = same == found.size() ? same : same / block_bytes_ * block_bytes_;
    step_.lock()->done_bytes += right;
    offset += right;
    found = found.subspan(right);
    if (found.empty()) return;
    const std::size_t size = std::min<std::size_t>(block_bytes_, found.size());
    take_mismatch({offset, size}, found.first(size));
    offset += size;
    found = found.subspan(size);
  }
}

// Once more from the disk, before it is said that it does not hold what was written.
void StepWorker::take_mismatch(Range block, MutableByteView memory_of_block) {
  const Transfer again = device_.read(block.offset, memory_of_block);
  auto step = step_.lock();
  ++step->retries;
  if (again.error != 0 || again.done_bytes != block.size_bytes)
    step->set_aside.add(block);
  else if (content_.matches(block.offset, memory_of_block))
    step->done_bytes += block.size_bytes;
  else
    step->mismatching.add(block);
}

// A disk that cannot read a block may give it another place when it is written.
bool StepWorker::heal(Range block) {
  make_content(block);
  const auto write_block = [this](std::uint64_t offset, ByteView bytes) { return device_.write(offset, bytes); };
  const auto read_block = [this](std::uint64_t offset, MutableByteView bytes) { return device_.read(offset, bytes); };
  if (transfer(block, write_block).size_bytes != 0) return false;
  device_.flush();
  tiled_bytes_ = 0;
  std::ranges::fill(memory(block.size_bytes), std::byte{0});
  return transfer(block, read_block).size_bytes == 0 && content_.matches(block.offset, memory(block.size_bytes));
}

}  // namespace qcbak::wipe
