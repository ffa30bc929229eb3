#include "config/wipe_plan.h"

#include <gmock/gmock.h>

#include "base/error.h"

namespace qcbak::config {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr const char* kPlan = R"(name = "site-ssd"
version = 3
title = "Two passes and the firmware"
source = "Decision 12/2026"

[[step]]
kind = "fixed"
pattern = "7FFF"

[[step]]
kind = "read-back"

[[step]]
kind = "firmware-erase"
method = "nvme-format-user"
)";

TEST(WipePlanFile, IsReadWithTheLinesOfItsSteps) {
  const WipePlan plan = parse_wipe_plan(kPlan, "site.toml");
  EXPECT_EQ(plan.name, "site-ssd");
  EXPECT_EQ(plan.version, 3);
  EXPECT_EQ(plan.title, "Two passes and the firmware");
  EXPECT_EQ(plan.source, "Decision 12/2026");
  ASSERT_THAT(plan.steps, SizeIs(3));
  EXPECT_EQ(plan.steps[0].kind, "fixed");
  EXPECT_EQ(plan.steps[0].pattern, "7fff");
  EXPECT_EQ(plan.steps[0].line, 6);
  EXPECT_EQ(plan.steps[1].pattern, "");
  EXPECT_EQ(plan.steps[2].method, "nvme-format-user");
  EXPECT_EQ(plan.steps[2].line, 13);
}

TEST(WipePlanFile, IsOfTheFirstVersionUnlessItSaysSo) {
  std::string text = kPlan;
  text.erase(text.find("version = 3\n"), 12);
  EXPECT_EQ(parse_wipe_plan(text, "site.toml").version, 1);
}

struct Wrong {
  const char* instead_of;
  const char* with;
  const char* said;
};
constexpr Wrong kWrong[] = {
    {"name = \"site-ssd\"\n", "", "name: it is missing"},
    {"site-ssd", "Site SSD", "site.toml:1: name: a plan's name is made of"},
    {"site-ssd", "../site", "site.toml:1: name"},
    {"version = 3", "version = 0", "site.toml:2: version: it is 0"},
    {"version = 3", "versoin = 3", "site.toml:2: versoin: there is no such setting"},
    {"Decision 12", "Quy\xe1\xba\xbft 12", "site.toml:4: source: it is not plain ASCII"},
    {"\"7FFF\"", "\"7FF\"", "site.toml:8: step[1].pattern"},
    {"\"7FFF\"", "\"zero\"", "which is not bytes in hexadecimal"},
    {"kind = \"read-back\"", "", "site.toml:10: step[2].kind: it is missing"},
    {"method =", "methods =", "site.toml:15: step[3].methods: there is no such setting"},
    {"[[step]]\nkind = \"fixed\"", "[[step]\nkind = \"fixed\"", "site.toml:6: "},
    {kPlan, "name = \"a\"\ntitle = \"b\"\nsource = \"c\"\n", "step: it is missing"},
    {kPlan, "name = \"a\"\ntitle = \"b\"\nsource = \"c\"\nstep = 1\n", "site.toml:4: step: steps are written as"},
    {kPlan, "name = \"a\"\ntitle = \"b\"\nsource = \"c\"\nstep = [1]\n", "site.toml:4: step[1]: it is not a table"},
};

TEST(WipePlanFile, SaysInWhichLineItIsWrong) {
  for (const Wrong& wrong : kWrong) {
    std::string text = kPlan;
    text.replace(text.find(wrong.instead_of), std::string_view(wrong.instead_of).size(), wrong.with);
    try {
      parse_wipe_plan(text, "site.toml");
      ADD_FAILURE() << wrong.said;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage);
      EXPECT_THAT(error.what(), HasSubstr(wrong.said));
    }
  }
}

TEST(WipePlanFile, HasALimit) {
  std::string text = kPlan;
  for (std::size_t i = 0; i < kWipePlanStepLimit; ++i) text += "[[step]]\nkind = \"random\"\n";
  EXPECT_THROW(parse_wipe_plan(text, "site.toml"), Error);
  EXPECT_THROW(parse_wipe_plan(std::string(kWipePlanFileLimit + 1, '\n'), "site.toml"), Error);
}

}  // namespace
}  // namespace qcbak::config
