#include "evidence/dossier.h"

#include <gmock/gmock.h>

#include <functional>

#include "base/error.h"
#include "evidence/certificate_page.h"

namespace qcbak::evidence {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr Time kStart{1'780'000'000 * kSecond};
Time after(std::int64_t seconds) { return {kStart.ns + seconds * kSecond}; }
const Time kNow = after(1000);

crypto::SignSeed seed_of(std::string_view person) {
  return crypto::SignSeed(crypto::sha256(as_bytes(person)).view());
}
crypto::SignPublic key_of(std::string_view person) { return crypto::sign_public(seed_of(person)); }

void sign(Dossier& dossier, std::string_view person, std::int64_t at, const std::string& reason = "") {
  sign_last(dossier, person, reason, seed_of(person), after(at));
}

WipeRequest request(std::string_view plan = "nist-clear") {
  WipeRequest request;
  request.id = std::string(32, 'a');
  request.reason = "disposal";
  request.destination = "kho thanh lý <1>";
  request.classification = "sensitive";
  request.expires = after(500);
  request.media = {{"TS-1", "SN-0001", false, "Disk", "Maker", 1 << 20, std::string(plan),
                    wipe::plan_hash(wipe::shipped_plan(plan))}};
  return request;
}

// Each step done in a second, from `at` on.
WipeRun clean_run(std::int64_t at) {
  const wipe::Plan& plan = wipe::shipped_plan("nist-clear");
  WipeRun run;
  run.job = std::string(32, 'b');
  run.plan_document = wipe::document(plan);
  run.identity = {"Maker", "Disk", "SN-0001", "1.0", "naa.1"};
  run.geometry = {1 << 20, 512, 4096};
  run.device = "/dev/sdb";
  run.attachment = {7, false, true};
  run.tool = "qcbak test";
  run.host = "bench";
  run.kernel = "Linux";
  run.contents = {"00", ""};
  for (int i = 0; i < 2; ++i) {
    wipe::StepProgress step;
    step.began = after(at + i);
    step.ended = after(at + i + 1);
    step.watermark = step.done_bytes = 1 << 20;
    run.progress.steps.push_back(step);
  }
  run.progress.segments = {{after(at), after(at + 2), 0, 0}};
  run.verdict = "clear";
  run.verdict_reason = "everything was written and read back";
  run.exit_code = 0;
  return run;
}

using Change = std::function<void(Dossier&)>;

// Whole, with `change` applied before each signature: whoever signs, signs what was changed.
Dossier whole(const Change& change = [](Dossier&) {}) {
  Dossier dossier;
  dossier.request = request();
  change(dossier);
  sign(dossier, "requester", 0);
  dossier.approval.emplace();
  sign(dossier, "approver", 100);
  dossier.runs.push_back(clean_run(200));
  change(dossier);
  sign(dossier, "operator", 300);
  dossier.validation = WipeValidation{Decision::accept, {}};
  sign(dossier, "validator", 400);
  dossier.confirmation.emplace();
  sign(dossier, "owner", 410);
  return dossier;
}

Signers people() {
  Signers keys;
  for (const char* person : {"requester", "approver", "operator", "validator", "owner"}) keys.insert(key_of(person));
  return keys;
}

std::vector<std::string> findings(const Dossier& dossier) {
  const Signers known = people();
  std::vector<std::string> texts;
  for (const DossierFinding& finding : check(dossier, &known, kNow)) texts.push_back(finding.member + ": " + finding.what);
  return texts;
}

// What is wrong once the run was changed by whoever signed it.
std::vector<std::string> findings_of_run(const std::function<void(WipeRun&)>& change) {
  return findings(whole([&](Dossier& dossier) {
    if (!dossier.runs.empty()) change(dossier.runs.back());
  }));
}

TEST(Dossier, SurvivesBeingWrittenAndIsInOrder) {
  const Dossier dossier = whole();
  EXPECT_THAT(findings(dossier), IsEmpty());
  const std::string text = encode(dossier);
  EXPECT_TRUE(looks_like_dossier(text));
  EXPECT_EQ(encode(parse_dossier(text)), text);
  EXPECT_THAT(findings(parse_dossier(text)), IsEmpty());
}

// Whatever byte is altered, in whatever way a bit can be: it is still known for a dossier, and found out.
TEST(Dossier, NoByteCanBeChanged) {
  const std::string text = encode(whole());
  const Signers known = people();
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string altered = text;
    altered[at] = static_cast<char>(altered[at] ^ (1 << (at % 7)));
    EXPECT_TRUE(looks_like_dossier(altered)) << at;
    try {
      EXPECT_FALSE(check(parse_dossier(altered), &known, kNow).empty()) << at;
      EXPECT_FALSE(check(parse_dossier(altered), nullptr, kNow).empty()) << at;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::damaged) << at;
    }
  }
}

TEST(Dossier, IsRefusedInAnyOtherForm) {
  const std::string text = encode(whole());
  const std::string same[] = {" " + text, text + "\n", text.substr(0, text.size() - 1), "{" + text,
                              "{\"zzz\":1," + text.substr(1), std::string(text).replace(text.find(",\"request\""), 1, ", "),
                              std::string(text).replace(text.find("1048576"), 7, "1048576.0")};
  for (const std::string& other : same) EXPECT_THROW(parse_dossier(other), Error);
}

TEST(Dossier, MembersCanOnlyBeCutOffAtTheEnd) {
  Dossier dossier = whole();
  dossier.confirmation.reset();
  EXPECT_THAT(findings(dossier), IsEmpty());
  dossier.validation.reset();
  EXPECT_THAT(findings(dossier), IsEmpty());
  Dossier gap = whole();
  gap.validation.reset();
  EXPECT_THAT(findings(gap), Not(IsEmpty()));
  Dossier unapproved = whole();
  unapproved.approval.reset();
  EXPECT_THAT(findings(unapproved), Not(IsEmpty()));
}

TEST(Dossier, KnowsWhoMaySign) {
  const Dossier dossier = whole();
  Signers known = people();
  known.erase(key_of("approver"));
  const auto found = check(dossier, &known, kNow);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].member, "approval");
  EXPECT_THAT(found[0].what, HasSubstr("not among those given"));
  EXPECT_THAT(check(dossier, nullptr, kNow), IsEmpty());
}

TEST(Dossier, NobodyApprovesOrValidatesTheirOwn) {
  Dossier dossier;
  dossier.request = request();
  sign(dossier, "requester", 0);
  dossier.approval.emplace();
  sign(dossier, "requester", 10);
  EXPECT_THAT(findings(dossier), ElementsAre("approval: who requested it approved it"));
  // The same key under another name is the same person.
  sign_last(dossier, "somebody", "", seed_of("requester"), after(10));
  EXPECT_THAT(findings(dossier), testing::Contains("approval: who requested it approved it"));
  Dossier own = whole();
  own.confirmation.reset();
  sign(own, "operator", 400);
  EXPECT_THAT(findings(own), ElementsAre("validation: an operator validated it"));
}

TEST(Dossier, TimesFollowEachOther) {
  Dossier late = whole();
  sign(late, "owner", 399);
  EXPECT_THAT(findings(late), ElementsAre("confirmation: its time is before that of what it follows"));
  sign(late, "owner", 5000);
  EXPECT_THAT(findings(late), ElementsAre("confirmation: its time is yet to come"));
  const auto began_at = [](std::int64_t at) {
    return findings_of_run([at](WipeRun& run) {
      run.progress.segments = {{after(at), after(at + 2), 0, 0}};
      for (int i = 0; i < 2; ++i) {
        run.progress.steps[i].began = after(at + i);
        run.progress.steps[i].ended = after(at + i + 1);
      }
    });
  };
  EXPECT_THAT(began_at(99), ElementsAre("run 1: its times are not in their order"));
  EXPECT_THAT(began_at(299), ElementsAre("run 1: its times are not in their order"));
  EXPECT_THAT(findings(whole([](Dossier& dossier) {
                if (dossier.runs.empty()) dossier.request.expires = after(150);
              })),
              ElementsAre("run 1: it began after the approval had expired"));
}

TEST(Dossier, TheRunIsOfWhatWasApproved) {
  EXPECT_THAT(findings_of_run([](WipeRun& run) { run.identity.serial = "SN-0002"; }),
              ElementsAre("run 1: its serial is not the one that was approved"));
  EXPECT_THAT(findings_of_run([](WipeRun& run) { run.identity.serial = ""; }),
              ElementsAre("run 1: its serial is not the one that was approved"));
  EXPECT_THAT(findings_of_run([](WipeRun& run) { run.identity.model = "Other"; }),
              ElementsAre("run 1: its vendor or model is not the one that was approved"));
  EXPECT_THAT(findings_of_run([](WipeRun& run) { run.geometry.size_bytes = 2 << 20; }),
              testing::Contains("run 1: its size is not the one that was approved"));
  EXPECT_THAT(findings_of_run([](WipeRun& run) {
                run.plan_document = wipe::document(wipe::shipped_plan("bsi-vsitr"));
              }),
              testing::Contains("run 1: its plan is not the one that was approved"));
  EXPECT_THAT(findings_of_run([](WipeRun& run) { run.plan_document = "{}"; }),
              ElementsAre("run 1: this is no document of a plan"));
  EXPECT_THAT(findings_of_run([](WipeRun& run) { run.medium = 1; }),
              ElementsAre("run 1: it is of a medium that nobody requested"));
  EXPECT_THAT(findings_of_run([](WipeRun& run) { run.contents[0] = "ff"; }),
              ElementsAre("run 1: step 1 did not write what the plan says"));
}

TEST(Dossier, TheVerdictFollowsFromWhatWasDone) {
  EXPECT_THAT(findings_of_run([](WipeRun& run) { run.verdict = "purge"; }),
              ElementsAre("run 1: its verdict is not what follows from what was done"));
  EXPECT_THAT(findings_of_run([](WipeRun& run) { run.progress.steps[0].bad.add({0, 4096}); }), Not(IsEmpty()));
  EXPECT_THAT(findings_of_run([](WipeRun& run) { run.progress.steps[1].done_bytes -= 1; }), Not(IsEmpty()));
  EXPECT_THAT(findings_of_run([](WipeRun& run) { run.exit_code = 1; }),
              ElementsAre("run 1: its exit code does not belong to its verdict"));
}

TEST(Dossier, WhatMismatchedTwiceIsToBeDestroyed) {
  Dossier dossier;
  dossier.request = request();
  for (int i = 0; i < 2; ++i) {
    dossier.runs.push_back(clean_run(200 + 10 * i));
    dossier.runs.back().progress.steps[1].mismatching.add({4096, 4096});
    dossier.runs.back().progress.steps[1].done_bytes -= 4096;
  }
  EXPECT_EQ(assess(dossier, 0).verdict, wipe::Verdict::failed);
  EXPECT_EQ(assess(dossier, 1).verdict, wipe::Verdict::destroy);
}

TEST(Dossier, StateSecretsAreNeverApproved) {
  EXPECT_THAT(findings(whole([](Dossier& dossier) { dossier.request.classification = "state-secret"; })),
              testing::Contains(HasSubstr("are to be destroyed")));
}

TEST(CertificatePage, IsForWhatSucceededAndWasAccepted) {
  const std::string page = certificate_page(whole(), {});
  EXPECT_THAT(page, HasSubstr("Giấy chứng nhận xóa dữ liệu"));
  EXPECT_THAT(page, HasSubstr("SN-0001"));
  EXPECT_THAT(page, HasSubstr("kho thanh lý &lt;1&gt;"));
  EXPECT_THAT(page, Not(HasSubstr("recoverable")));
  EXPECT_THAT(page, Not(HasSubstr("khôi phục")));
  EXPECT_THAT(page, Not(HasSubstr("http")));
  Dossier rejected = whole();
  rejected.validation->decision = Decision::reject;
  EXPECT_THAT(certificate_page(rejected, {}), Not(HasSubstr("Giấy chứng nhận xóa dữ liệu")));
  Dossier undone = whole();
  undone.runs.clear();
  EXPECT_THAT(certificate_page(undone, {}), Not(HasSubstr("Giấy chứng nhận xóa dữ liệu")));
  EXPECT_THAT(certificate_page(whole(), {{"run 1", "its <time>"}}), HasSubstr("its &lt;time&gt;"));
  Dossier destroyed = whole();
  destroyed.runs[0].exit_code = 6;
  EXPECT_THAT(certificate_page(destroyed, {}), HasSubstr("Phải tiêu hủy vật lý"));
}

}  // namespace
}  // namespace qcbak::evidence
