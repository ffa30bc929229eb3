#include "daemon/work_order.h"

#include <gmock/gmock.h>

#include "base/error.h"

namespace qcbak::daemon {
namespace {

TEST(WorkOrder, ComesBackAsItWas) {
  WorkOrder order;
  order.run = "0123";
  order.reason = Reason::change;
  order.vault = {"/srv/repository", "/etc/credential", "", "/var/cache"};
  order.job.name = "etc";
  order.job.source.paths = {"/etc", "/tên"};
  order.job.source.exclude = {"*.tmp", "\n\""};
  order.job.source.one_file_system = true;
  order.job.labels = {{"kind", "config"}, {"unit", "finance"}};
  order.job.domain = "system";
  order.job.before = "echo 'a'\necho b";
  order.job.after = "true";
  order.job.command_limit_ns = 5;
  order.job.read_limit_bytes_per_s = 6;
  order.config_file = "/etc/qcbak/qcbak.toml";
  order.state_dir = "/var/lib/qcbak";
  order.kind = WorkOrder::Kind::collect;
  order.unless_state = "ab";
  order.unless_snapshot = "cd";
  order.job.retention.last = 3;
  order.job.retention.lock_ns = 7;
  const std::string line = encode_order(order);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const WorkOrder back = decode_order(line);
  EXPECT_EQ(back.kind, order.kind);
  EXPECT_EQ(back.job.read_limit_bytes_per_s, 6U);
  EXPECT_EQ(back.config_file, order.config_file);
  EXPECT_EQ(back.state_dir, order.state_dir);
  EXPECT_EQ(back.unless_state, "ab");
  EXPECT_EQ(back.unless_snapshot, "cd");
  EXPECT_EQ(back.job.retention.last, 3);
  EXPECT_FALSE(back.job.retention.daily);
  EXPECT_EQ(back.job.retention.lock_ns, 7);
  EXPECT_EQ(back.run, order.run);
  EXPECT_EQ(back.reason, order.reason);
  EXPECT_EQ(back.vault.location, order.vault.location);
  EXPECT_EQ(back.vault.credential_file, order.vault.credential_file);
  EXPECT_EQ(back.vault.cache_directory, order.vault.cache_directory);
  EXPECT_EQ(back.job.name, order.job.name);
  EXPECT_EQ(back.job.source.paths, order.job.source.paths);
  EXPECT_EQ(back.job.source.exclude, order.job.source.exclude);
  EXPECT_TRUE(back.job.source.one_file_system);
  EXPECT_EQ(back.job.labels, order.job.labels);
  EXPECT_EQ(back.job.domain, order.job.domain);
  EXPECT_EQ(back.job.before, order.job.before);
  EXPECT_EQ(back.job.after, order.job.after);
  EXPECT_EQ(back.job.command_limit_ns, order.job.command_limit_ns);
}

TEST(WorkResult, ComesBackAsItWas) {
  const WorkResult back = decode_result(encode_result({Outcome::incomplete, "abcd", "a\nb", R"({"files_new":1})"}));
  EXPECT_EQ(back.outcome, Outcome::incomplete);
  EXPECT_EQ(back.snapshot, "abcd");
  EXPECT_EQ(back.error, "a\nb");
  EXPECT_EQ(back.summary, R"({"files_new":1})");
}

TEST(WorkMessages, AreProgressOrAResult) {
  const auto progress = std::get<WorkProgress>(decode_message(encode_progress({1, 2, 3})));
  EXPECT_EQ(progress.bytes, 1U);
  EXPECT_EQ(progress.files, 2U);
  EXPECT_EQ(progress.problems, 3U);
  EXPECT_EQ(std::get<WorkResult>(decode_message(encode_result({Outcome::failed, "", "why", ""}))).error, "why");
}

TEST(WorkMessages, OtherThingsAreRefused) {
  for (const char* text : {"", "{", "[]", "{}", "null", R"({"outcome":"splendid","snapshot":"","error":"","summary":""})",
                           R"({"outcome":7,"snapshot":"","error":"","summary":""})"}) {
    EXPECT_THROW(decode_result(text), Error) << text;
    EXPECT_THROW(decode_order(text), Error) << text;
    EXPECT_THROW(decode_message(text), Error) << text;
  }
}

}  // namespace
}  // namespace qcbak::daemon
