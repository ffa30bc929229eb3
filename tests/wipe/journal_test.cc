#include "wipe/journal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "tests/support/seeded_random.h"
#include "tests/support/temporary_directory.h"

namespace qcbak::wipe {
namespace {

constexpr std::size_t kFileLimit = 1U << 30;

JobBeginning beginning() {
  tests::SeededRandom random(5);
  JobBeginning beginning{document(shipped_plan("nist-clear")),
                         {"ACME", "Disk \xff", "S123456", "1.0", "naa.5"},
                         1 << 20,
                         4096,
                         JobSecret::random(random),
                         Time{-5},
                         crypto::sha256(as_bytes("order"))};
  beginning.health.emplace();
  beginning.health->temperature_c = 30;
  beginning.health->pending_sectors = 31;
  return beginning;
}

RangeSet ranges(std::uint64_t first, std::size_t count) {
  RangeSet set;
  for (std::size_t i = 0; i < count; ++i) set.add({first + i * 100, 10 + i % 3});
  return set;
}

CommandRecord command(std::uint8_t salt) {
  CommandResult result;
  result.error = salt;
  result.status = static_cast<std::uint8_t>(salt + 1);
  result.host_status = static_cast<std::uint16_t>(salt + 2);
  result.driver_status = static_cast<std::uint16_t>(salt + 3);
  result.sense = Bytes(4, std::byte{salt});
  result.nvme_status = static_cast<std::uint16_t>(salt + 5);
  result.nvme_result = salt + 6U;
  return {Bytes(16, std::byte{salt}), result, salt + 7U, Time{salt + 8}, Time{salt + 9}};
}

// No two fields alike.
void add_firmware(StepProgress& step) {
  step.firmware = FirmwareProgress{FirmwareMethod::nvme_format_crypto,
                                   FirmwarePhase::accepted,
                                   Acceptance::refused,
                                   Completion::failed,
                                   true,
                                   50,
                                   {51, 52},
                                   {{HiddenKind::dco, 53, 54, true}},
                                   {command(60), command(70)}};
  step.hidden = HiddenRemoval{{{HiddenKind::amac, 80, 81, false}, {HiddenKind::hpa, 82, 83, true}}, {command(90)}};
  step.remains = Remains{1, 2, 3, {}, 104, {"GPT at byte 512", "LVM at byte 9"}};
  for (std::size_t i = 0; i < step.remains->histogram.size(); ++i) step.remains->histogram[i] = 1000 + i;
  step.size_bytes = 105;
}

// Likewise.
Progress progress(std::uint64_t salt) {
  StepProgress left;
  StepProgress done{Time{1},         Time{2},         3 + salt,       4, 5, 6, 7, ranges(8, 1), ranges(1000, 2),
                    ranges(2000, 3), ranges(3000, 4), ranges(4000, 5)};
  add_firmware(done);
  StepProgress running{Time{-9}, std::nullopt, 10, 11, 12, 13, 14, {}, {}, {}, {}, {}};
  return {{left, done, running}, {{Time{15}, Time{16}, 17, 18}, {Time{19}, Time{20}, 21, 22}}, Heat{23, 24}};
}

void expect_beginning(const JobBeginning& found) {
  const JobBeginning expected = beginning();
  EXPECT_EQ(found.plan_document, expected.plan_document);
  EXPECT_EQ(found.identity, expected.identity);
  EXPECT_EQ(found.size_bytes, expected.size_bytes);
  EXPECT_EQ(found.physical_block_bytes, expected.physical_block_bytes);
  EXPECT_TRUE(equal(found.secret.view(), expected.secret.view()));
  EXPECT_EQ(found.time, expected.time);
  EXPECT_EQ(found.order, expected.order);
  EXPECT_EQ(found.health, expected.health);
}

class JournalTest : public testing::Test {
 protected:
  // The bytes of a journal of so many progresses.
  Bytes file_of(std::uint64_t progresses) {
    Journal journal = Journal::create(path_, beginning());
    for (std::uint64_t i = 1; i <= progresses; ++i) journal.append(progress(i));
    return read_file(path_, kFileLimit);
  }
  ErrorCode opening_fails_with() {
    try {
      Journal::open(path_);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::failed;
  }

  tests::TemporaryDirectory directory_;
  std::string path_ = directory_ / "journal";
};

TEST_F(JournalTest, TellsWhatItWasTold) {
  file_of(2);
  const Journal journal = Journal::open(path_);
  expect_beginning(journal.beginning());
  EXPECT_EQ(journal.last(), progress(2));
  struct stat status;
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600);
}

TEST_F(JournalTest, TellsThatNobodyAskedForHealth) {
  JobBeginning silent = beginning();
  for (const std::optional<Health>& health : {std::optional<Health>(), std::optional<Health>(Health{})}) {
    silent.health = health;
    Progress cold = progress(1);
    cold.heat.reset();
    const JournalContent content = parse_journal(journal_bytes(silent, &cold));
    EXPECT_EQ(content.beginning.health, health);
    EXPECT_EQ(content.progress, cold);
  }
}

TEST_F(JournalTest, KnowsNoProgressBeforeTheFirst) {
  file_of(0);
  EXPECT_EQ(Journal::open(path_).last(), std::nullopt);
}

TEST_F(JournalTest, GoesBackToTheLastWholeRecordWhereverItWasCutOff) {
  const std::size_t first = file_of(0).size();
  ::unlink(path_.c_str());
  const Bytes file = file_of(2);
  for (std::size_t size = 0; size < file.size(); ++size) {
    if (size < first) {
      EXPECT_THROW(parse_journal(ByteView(file).first(size)), Error) << size;
      continue;
    }
    const JournalContent content = parse_journal(ByteView(file).first(size));
    ASSERT_LE(content.whole_bytes, size);
    ASSERT_EQ(content.progress.value_or(progress(1)), progress(1)) << size;
  }
}

TEST_F(JournalTest, TakesNoAlteredRecordForOneOfItsOwn) {
  const Bytes file = file_of(2);
  for (std::size_t at = 0; at < file.size(); ++at) {
    Bytes altered = file;
    altered[at] ^= std::byte{0x10};
    try {
      const JournalContent content = parse_journal(altered);
      expect_beginning(content.beginning);
      ASSERT_LT(content.whole_bytes, file.size()) << at;
      ASSERT_EQ(content.progress.value_or(progress(1)), progress(1)) << at;
    } catch (const Error&) {
    }
  }
}

TEST_F(JournalTest, AppendsAfterWhatWasTornOff) {
  const Bytes file = file_of(1);
  Bytes torn = file;
  append(torn, as_bytes("half a record"));
  write_file_durably(path_, torn);
  Journal::open(path_).append(progress(7));
  EXPECT_EQ(Journal::open(path_).last(), progress(7));
}

TEST_F(JournalTest, BelongsToOneProcessAtATime) {
  Journal journal = Journal::create(path_, beginning());
  EXPECT_EQ(opening_fails_with(), ErrorCode::busy);
}

TEST_F(JournalTest, OverwritesNothing) {
  write_file_durably(path_, as_bytes("mine"));
  EXPECT_THROW(Journal::create(path_, beginning()), Error);
  EXPECT_EQ(to_string(read_file(path_, 100)), "mine");
  EXPECT_EQ(opening_fails_with(), ErrorCode::damaged);
}

TEST_F(JournalTest, StaysWithinItsSize) {
  Progress large;
  const RangeSet many = ranges(1ULL << 40, RangeSet::kRangeLimit);
  large.steps.assign(kPlanStepLimit, {Time{1}, Time{2}, 3, 4, 5, 6, 7, many, many, many, many, many});
  {
    Journal journal = Journal::create(path_, beginning());
    for (std::uint64_t i = 0; i < 5; ++i) {
      large.steps[0].watermark = i;
      journal.append(large);
      EXPECT_EQ(opening_fails_with(), ErrorCode::busy);
    }
  }
  EXPECT_LT(read_file(path_, kFileLimit).size(), kJournalRewriteBytes);
  const Journal journal = Journal::open(path_);
  expect_beginning(journal.beginning());
  EXPECT_EQ(journal.last(), large);
}

using Sizes = std::vector<std::uint64_t>;

TEST(SizesOfDisk, GrowByWhatWasHiddenAndByNothingElse) {
  const JobBeginning begun = beginning();
  const std::uint64_t approved = begun.size_bytes;
  EXPECT_EQ(sizes_of_disk(begun, nullptr), Sizes{approved});
  Progress job;
  job.steps.resize(1);
  EXPECT_EQ(sizes_of_disk(begun, &job), Sizes{approved});
  job.steps[0].hidden = HiddenRemoval{{{HiddenKind::hpa, 512, approved + 512, false}}, {}};
  EXPECT_EQ(sizes_of_disk(begun, &job), (Sizes{approved, approved + 512})) << "it may have been told already";
  job.steps[0].hidden->areas[0].size_bytes = 0;
  EXPECT_EQ(sizes_of_disk(begun, &job), Sizes{approved}) << "nobody knows how large";
  job.steps[0].size_bytes = approved + 512;
  EXPECT_EQ(sizes_of_disk(begun, &job), Sizes{approved + 512}) << "what was written since is of that size";
}

TEST(FirmwareRecord, IsReadFromNothingButItsWhole) {
  StepProgress step;
  add_firmware(step);
  const auto refuses_parts = [](const Bytes& whole, auto&& parse) {
    for (std::size_t size = 0; size < whole.size(); ++size)
      EXPECT_THROW(parse(ByteView(whole).first(size)), Error) << size;
  };
  refuses_parts(hidden_removal_bytes(*step.hidden), [](ByteView bytes) { parse_hidden_removal(bytes); });
  refuses_parts(remains_bytes(*step.remains), [](ByteView bytes) { parse_remains(bytes); });
  EXPECT_EQ(parse_hidden_removal(hidden_removal_bytes(*step.hidden)), step.hidden);
  EXPECT_EQ(parse_remains(remains_bytes(*step.remains)), step.remains);
}

// A directory in which another process makes the files.
class PlaceOfTest final : public JournalPlace {
 public:
  explicit PlaceOfTest(std::string path) : path_(std::move(path)) {}
  UniqueFd make() override {
    UniqueFd fd(::open((path_ + ".new").c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    EXPECT_EQ(::flock(fd.get(), LOCK_EX | LOCK_NB), 0);
    return fd;
  }
  void take_its_place() override {
    rename_durably(path_ + ".new", path_);
    ++times;
  }
  int times = 0;

 private:
  std::string path_;
};

TEST_F(JournalTest, LongOneIsMadeAnewThroughItsPlace) {
  Progress large;
  const RangeSet many = ranges(1ULL << 40, RangeSet::kRangeLimit);
  large.steps.assign(kPlanStepLimit, {Time{1}, Time{2}, 3, 4, 5, 6, 7, many, many, many, many, many});
  PlaceOfTest place(path_);
  std::uint64_t count = 0;
  {
    Journal journal = Journal::create(path_, beginning());
    journal.use_place(place);
    while (place.times < 2) {
      large.steps[0].watermark = ++count;
      journal.append(large);
      EXPECT_EQ(opening_fails_with(), ErrorCode::busy);
    }
    large.steps[0].watermark = ++count;
    journal.append(large);
  }
  EXPECT_LT(read_file(path_, kFileLimit).size(), kJournalRewriteBytes);
  EXPECT_EQ(Journal::open(path_).last(), large);
}

}  // namespace
}  // namespace qcbak::wipe
