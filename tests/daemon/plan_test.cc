#include "daemon/plan.h"

#include <gmock/gmock.h>

#include "base/error.h"

namespace qcbak::daemon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

config::Config config(const std::string& jobs) {
  return config::parse("[repository]\nlocation = '/srv/repo'\npassword_file = '/password'\n" + jobs, "test.toml");
}
std::string job(const std::string& name, const std::string& more = "") {
  return "[[job]]\nname = '" + name + "'\nsource = { files = ['/etc'] }\n" + more;
}

TEST(Plan, IsTheSameForTheSameJobsHoweverTheyAreWritten) {
  const std::string one = plan_document(config(job("a", "debounce = '60s'\n") + job("b")));
  EXPECT_EQ(plan_document(config(job("b", "retries = 3\n") + job("a", "debounce = '1min'\n"))), one);
  EXPECT_NE(plan_document(config(job("a") + job("b"))), one);
}

TEST(Plan, EverySettingOfAJobCounts) {
  const std::string plain = plan_document(config(job("a")));
  for (const char* setting : {"schedule = 'hourly'",
                              "on_change = true",
                              "debounce = '6s'",
                              "random_delay = '1h'",
                              "retries = 4",
                              "window = ['22:00..05:00']",
                              "read_limit = '1MiB/s'",
                              "retry_delay = '2min'",
                              "before = 'true'",
                              "after = 'true'",
                              "command_limit = '1min'",
                              "labels = { unit = 'x' }",
                              "retention = { last = 1 }",
                              "retention = { daily = 1 }",
                              "retention = { weekly = 1 }",
                              "retention = { monthly = 1 }",
                              "retention = { yearly = 1 }",
                              "retention = { within = '1d' }",
                              "retention = { lock = '1d' }",
                              "domain = 'other'"}) {
    const auto changes = plan_changes(plain, plan_document(config(job("a", std::string(setting) + "\n"))));
    ASSERT_EQ(changes.size(), 1U) << setting;
    EXPECT_EQ(changes[0].kind, PlanChange::Kind::changed) << setting;
    EXPECT_FALSE(changes[0].settings.empty()) << setting;
  }
  for (const char* source :
       {"files = ['/etc', '/srv']", "files = ['/etc'], exclude = ['x']", "files = ['/etc'], one_file_system = true"})
    EXPECT_NE(plan_document(config("[[job]]\nname = 'a'\nsource = { " + std::string(source) + " }\n")), plain)
        << source;
}

TEST(Plan, NamesWhatChanges) {
  const auto changes =
      plan_changes(plan_document(config(job("gone") + job("kept") + job("other", "retention = { last = 5 }\n"))),
                   plan_document(config(job("kept") + job("new") + job("other", "retention = { last = 6 }\n"))));
  ASSERT_EQ(changes.size(), 3U);
  EXPECT_EQ(changes[0].job, "gone");
  EXPECT_EQ(changes[0].kind, PlanChange::Kind::removed);
  EXPECT_EQ(changes[1].job, "new");
  EXPECT_EQ(changes[1].kind, PlanChange::Kind::added);
  EXPECT_EQ(changes[2].job, "other");
  ASSERT_EQ(changes[2].settings.size(), 1U);
  EXPECT_EQ(changes[2].settings[0].setting, "retention.last");
  EXPECT_EQ(changes[2].settings[0].before, "5");
  EXPECT_EQ(changes[2].settings[0].after, "6");
  EXPECT_THAT(plan_changes(plan_document(config(job("a"))), plan_document(config(job("a")))), IsEmpty());
}

TEST(Plan, TermsAreThoseOfTheDocument) {
  const config::Config all = config(job("a") + job("b", "on_change = true\n"));
  const PlanTerms terms = plan_terms(plan_document(all));
  ASSERT_EQ(terms.size(), 2U);
  for (const config::Job& each : all.jobs) {
    EXPECT_TRUE(is_as_approved(each, all, terms.at(each.name)));
    EXPECT_FALSE(is_as_approved(each, all, terms.at(each.name == "a" ? "b" : "a")));
    EXPECT_FALSE(is_as_approved(each, all, "nothing"));
  }
  for (const char* none :
       {"", "{}", "[]", "x", R"({"format":"qcbak plan 2","jobs":{}})", R"({"format":"qcbak plan 1","jobs":[]})"})
    EXPECT_THROW(plan_terms(std::string_view(none)), Error) << none;
}

TEST(Plan, WhatAnEarlierVersionDidNotKnowIsApprovedAtItsDefault) {
  const config::Config all = config(job("a"));
  std::string terms = plan_terms(plan_document(all)).at("a");
  const std::string later = R"(,"window":[])";
  ASSERT_NE(terms.find(later), std::string::npos);
  terms.erase(terms.find(later), later.size());
  EXPECT_TRUE(is_as_approved(all.jobs[0], all, terms));
  const config::Config other = config(job("a", "window = '22:00..05:00'\n"));
  EXPECT_FALSE(is_as_approved(other.jobs[0], other, terms));
}

TEST(Plan, SaysWhyRolesAreCombined) {
  const auto changes =
      plan_changes(plan_document(config("")), plan_document(config("[approval]\ncombined_roles = 'two people'\n")));
  ASSERT_EQ(changes.size(), 1U);
  ASSERT_EQ(changes[0].settings.size(), 1U);
  EXPECT_EQ(changes[0].settings[0].setting, "combined_roles");
  EXPECT_EQ(changes[0].settings[0].before, "null");
  EXPECT_EQ(changes[0].settings[0].after, "\"two people\"");
}

}  // namespace
}  // namespace qcbak::daemon
