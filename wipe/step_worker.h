// One thread's part in a step: takes ranges of the disk, one after the other, and writes them or reads them back.
#pragma once

#include "base/guarded.h"
#include "wipe/journal.h"

namespace qcbak::wipe {

enum class Mode { write, read_back };

class StepWorker {
 public:
  // `step` is shared with other workers and outlives them.
  StepWorker(BlockDevice& device, Mode mode, PassContent content, Guarded<StepProgress>& step, std::size_t chunk_bytes);

  // At most a chunk, of whole blocks but at the end of the disk. What a fault leaves undone is set aside.
  void take(Range range);
  // Once more, after a fault; false when some of it is still not done, which undone() then gives.
  bool retry(Range range);
  Range undone() const { return undone_; }
  // The last that is done about one block that failed again: a block that cannot be read is written once more.
  void give_up(Range block);
  void give_up_untried(Range range);

  std::uint32_t block_bytes() const { return block_bytes_; }

 private:
  MutableByteView memory(std::uint64_t size) { return buffer_.span().first(size); }
  template <class Io>
  Range transfer(Range range, Io&& io);
  Range attempt(Range range);  // gives what was not done, from the first fault's block on
  Range write(Range range);
  Range read_back(Range range);
  void compare(std::uint64_t offset, MutableByteView found);
  void take_mismatch(Range block, MutableByteView memory_of_block);
  bool heal(Range block);
  void make_content(Range range);

  BlockDevice& device_;
  Mode mode_;
  PassContent content_;
  Guarded<StepProgress>& step_;
  std::uint32_t block_bytes_;
  PageBuffer buffer_;
  Range undone_;                 // by the last retry()
  std::size_t tiled_bytes_ = 0;  // of buffer_ that hold the pattern from offset 0 on
};

}  // namespace qcbak::wipe
