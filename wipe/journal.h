// What a job has done to a disk, durable: a run that was killed goes on from it. docs/sanitisation.md "The journal".
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "crypto/hash.h"
#include "wipe/block_device.h"
#include "wipe/firmware_record.h"
#include "wipe/health.h"
#include "wipe/pass_content.h"
#include "wipe/ranges.h"

namespace qcbak::wipe {

// What a job is about; it never changes.
struct JobBeginning {
  std::string plan_document;
  Identity identity;
  std::uint64_t size_bytes = 0;
  std::uint32_t physical_block_bytes = 0;
  JobSecret secret;
  Time time;
  crypto::Sha256 order =
      {};  // what gave leave for this job, so that no other goes on from its journal; zeros: not said
  std::optional<Health> health = {};  // of the disk then; nothing: nobody asked
};

// Of one step of the plan.
struct StepProgress {
  std::optional<Time> began;
  std::optional<Time> ended;
  std::uint64_t watermark = 0;   // everything before it was dealt with, but for what is set aside
  std::uint64_t done_bytes = 0;  // written, or compared and right
  std::uint64_t errors = 0;      // that the disk gave
  std::uint64_t retries = 0;
  std::uint64_t restarts = 0;  // because the disk had lost what it had acknowledged
  RangeSet set_aside;
  RangeSet bad;  // not written
  RangeSet unreadable;
  RangeSet mismatching;
  RangeSet healed;  // unreadable until they were written again
  // What the disk did itself, in a step of that kind.
  std::optional<FirmwareProgress> firmware = {};
  std::optional<HiddenRemoval> hidden = {};
  std::optional<Remains> remains = {};
  std::optional<std::uint64_t> size_bytes = {};  // of the disk from then on: a step that looks for hidden areas asks for it
  friend bool operator==(const StepProgress&, const StepProgress&) = default;
};

// One uninterrupted part of a job.
struct Segment {
  Time began;
  Time last;               // of its last progress
  std::uint32_t step = 0;  // index of the plan's step it began at
  std::uint64_t offset = 0;
  friend bool operator==(const Segment&, const Segment&) = default;
};

struct Progress {
  std::vector<StepProgress> steps;  // those that were reached, in the order of the plan
  std::vector<Segment> segments;
  std::optional<Heat> heat = {};  // of all segments; nothing: the disk has no sensor
  friend bool operator==(const Progress&, const Progress&) = default;
};

inline constexpr std::size_t kJournalRecordLimit = 32U << 20;
inline constexpr std::size_t kJournalLimit = 128U << 20;
inline constexpr std::size_t kJournalRewriteBytes = 64U
                                                    << 20;  // a longer one is made anew from its first and last record
inline constexpr std::size_t kSegmentLimit = 4096;          // later ones are counted to the last

struct JournalContent {
  JobBeginning beginning;
  std::optional<Progress> progress;  // the last that is whole
  std::size_t whole_bytes = 0;       // up to there the file is good
  crypto::Sha256 last_checksum;
};
// How large the disk may be when the job goes on: it grows by what was hidden, and by nothing else.
std::vector<std::uint64_t> sizes_of_disk(const JobBeginning& beginning, const Progress* progress);
// The file of a job that has come so far; `progress` may be null.
Bytes journal_bytes(const JobBeginning& beginning, const Progress* progress);
// Error(damaged) when it has no whole beginning, or holds a record that is whole and yet none.
JournalContent parse_journal(ByteView file);

// Makes a longer journal anew for a process that may not open files (wipe/sandbox.h).
class JournalPlace {
 public:
  virtual ~JournalPlace() = default;
  virtual UniqueFd make() = 0;        // an empty file beside the journal, locked
  virtual void take_its_place() = 0;  // that file is the journal from now on, durably
};

// Open for one process at a time: Error(busy) otherwise.
class Journal {
 public:
  // Durable when it returns. Error(refused) when there is something of that name.
  static Journal create(const std::string& path, const JobBeginning& beginning);
  static Journal open(const std::string& path);  // Error(damaged) as parse_journal()

  const JobBeginning& beginning() const { return content_.beginning; }
  const std::optional<Progress>& last() const { return content_.progress; }
  // Durable when it returns. The disk has been flushed before. After an Error the object must not be used again.
  void append(const Progress& progress);
  // From now on no file is opened but through `place`, which outlives it.
  void use_place(JournalPlace& place) { place_ = &place; }

 private:
  Journal(std::string path, UniqueFd fd, JournalContent content);
  void rewrite(const Progress& progress);
  void rewrite_through_place(const Progress& progress);

  std::string path_;
  UniqueFd fd_;
  JournalContent content_;
  JournalPlace* place_ = nullptr;
};

}  // namespace qcbak::wipe
