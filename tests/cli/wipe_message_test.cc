#include "cli/wipe_message.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace qcbak::cli {
namespace {

WipeTask task() {
  WipeTask task;
  task.medium = 3;
  task.order.value.fill(std::byte{7});
  task.typed = "00A1B2";
  task.device = "/dev/sdb";
  task.journal = "3.json.4.journal";
  task.requested = {"TS-1", "S00A1B2", true, "a model", "a vendor", 1ULL << 40, "nist-clear", {}};
  task.plan = wipe::shipped_plan("nist-clear");
  task.hot_above_c = 55;
  return task;
}

wipe::Health worn() {
  wipe::Health health;
  health.temperature_c = 41;
  health.media_errors = 7;
  return health;
}

// Each kind, with something in it.
std::vector<WipeReport> reports() {
  return {WipeNote{"going on"},
          WipeInspected{{"/dev/sdb", {1ULL << 40, 512, 4096}, {17, true, false}, {}}},
          WipeCleared{},
          WipeVerifying{},
          WipeMoved{2, 6U << 20, 1ULL << 40},
          WipeFailed{ErrorCode::refused, "it is \xff mounted", "unmount it"},
          WipeEnded{{2ULL << 40, 4096, 4096}, worn()},
          WipeActive{{1ULL << 40, 3, 7'000'000'000, 2, 40}},
          WipeSandboxed{{"no-new-privileges", "seccomp"}},
          WipeWantsJournalFile{},
          WipeWroteJournalFile{}};
}

TEST(WipeMessage, TaskComesAsItWent) {
  const WipeOrder order = parse_wipe_order(encode(WipeOrder(task())));
  const WipeTask& read = std::get<WipeTask>(order);
  const WipeTask sent = task();
  EXPECT_EQ(read.medium, sent.medium);
  EXPECT_EQ(read.order, sent.order);
  EXPECT_EQ(read.typed, sent.typed);
  EXPECT_EQ(read.device, sent.device);
  EXPECT_EQ(read.journal, sent.journal);
  EXPECT_EQ(read.requested.serial, sent.requested.serial);
  EXPECT_EQ(read.requested.serial_by_hand, sent.requested.serial_by_hand);
  EXPECT_EQ(read.requested.model, sent.requested.model);
  EXPECT_EQ(read.requested.vendor, sent.requested.vendor);
  EXPECT_EQ(read.requested.size_bytes, sent.requested.size_bytes);
  EXPECT_EQ(wipe::document(read.plan), wipe::document(sent.plan));
  EXPECT_EQ(read.requested.plan_hash, sent.requested.plan_hash);
  EXPECT_EQ(read.hot_above_c, 55U);
}

TEST(WipeMessage, EveryReportComesAsItWent) {
  for (const WipeReport& report : reports()) {
    const Bytes message = encode(report);
    const WipeReport read = parse_wipe_report(message);
    EXPECT_EQ(read.index(), report.index());
    EXPECT_TRUE(equal(encode(read), message));
  }
}

TEST(WipeMessage, WhatIsCutOffOrLongerIsRefused) {
  for (const WipeReport& report : reports()) {
    const Bytes message = encode(report);
    for (std::size_t size = 0; size < message.size(); ++size)
      EXPECT_THROW(parse_wipe_report(ByteView(message).first(size)), Error);
    Bytes longer = message;
    longer.push_back(std::byte{0});
    EXPECT_THROW(parse_wipe_report(longer), Error);
  }
}

TEST(WipeMessage, KindsThatThereAreNotAreRefused) {
  Bytes message = encode(WipeReport(WipeCleared{}));
  message.at(1) = std::byte{23};
  EXPECT_THROW(parse_wipe_report(message), Error);
  Bytes order = encode(WipeOrder(WipeGo{}));
  order.at(1) = std::byte{4};
  EXPECT_THROW(parse_wipe_order(order), Error);
}

TEST(WipeMessage, ChannelGivesPacketsAndThenTheEnd) {
  auto [ours, fd] = WipeChannel::pair();
  const WipeChannel theirs(std::move(fd));
  EXPECT_FALSE(ours.receive_if_there());
  theirs.send(encode(WipeReport(WipeCleared{})));
  theirs.send(encode(WipeReport(WipeNote{"two"})));
  theirs.end_sending();
  EXPECT_TRUE(std::holds_alternative<WipeCleared>(parse_wipe_report(ours.receive().value())));
  EXPECT_EQ(std::get<WipeNote>(parse_wipe_report(ours.receive().value())).text, "two");
  EXPECT_FALSE(ours.receive());
}

TEST(WipeMessage, DescriptorsGoAlong) {
  auto [ours, fd] = WipeChannel::pair();
  const WipeChannel theirs(std::move(fd));
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  ours.send_with(encode(WipeOrder(WipeJournalFile{})), writing);
  ours.send(encode(WipeOrder(WipeJournalReplaced{})));
  const std::optional<WipePacket> with = theirs.receive_packet(), without = theirs.receive_packet();
  ASSERT_TRUE(with && with->fd && without);
  EXPECT_FALSE(without->fd);
  EXPECT_TRUE(std::holds_alternative<WipeJournalFile>(parse_wipe_order(with->message)));
  EXPECT_EQ(::write(with->fd.get(), "x", 1), 1);
  char read = 0;
  EXPECT_EQ(::read(reading.get(), &read, 1), 1);
}

TEST(WipeMessage, MovementsAreDroppedRatherThanWaitedFor) {
  auto [ours, fd] = WipeChannel::pair();
  const WipeChannel theirs(std::move(fd));
  for (std::uint64_t i = 0; i < 100'000; ++i) theirs.send_if_there_is_room(encode(WipeReport(WipeMoved{0, i, 1})));
  EXPECT_EQ(std::get<WipeMoved>(parse_wipe_report(ours.receive().value())).done_bytes, 0U);
}

}  // namespace
}  // namespace qcbak::cli
