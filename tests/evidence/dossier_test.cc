#include "evidence/dossier.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <functional>

#include "base/error.h"
#include "evidence/certificate_page.h"
#include "wipe/sample.h"

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

crypto::SignSeed seed_of(std::string_view person) { return crypto::SignSeed(crypto::sha256(as_bytes(person)).view()); }
crypto::SignPublic key_of(std::string_view person) { return crypto::sign_public(seed_of(person)); }

void sign(const Dossier& dossier, Signed& member, std::string_view person, std::int64_t at) {
  sign(dossier, member, person, "", seed_of(person), after(at));
}

WipeRequest request(std::string_view plan = "nist-clear") {
  WipeRequest request;
  request.id = std::string(32, 'a');
  request.reason = "disposal";
  request.destination = "kho thanh lý <1>";
  request.classification = "sensitive";
  request.expires = after(500);
  request.plans = {wipe::document(wipe::shipped_plan(plan))};
  request.media = {{"TS-1", "SN-0001", false, "Disk", "Maker", 1 << 20, std::string(plan),
                    wipe::plan_hash(wipe::shipped_plan(plan))}};
  return request;
}

// Each step done in a second, from `at` on.
WipeRun clean_run(std::int64_t at) {
  WipeRun run;
  run.job = std::string(32, 'b');
  run.plan_hash = wipe::plan_hash(wipe::shipped_plan("nist-clear"));
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

void accept_and_confirm(Dossier& dossier) {
  dossier.validation = WipeValidation{Decision::accept, {}};
  sign(dossier, dossier.validation->by, "validator", 400);
  dossier.confirmation.emplace();
  sign(dossier, dossier.confirmation->by, "owner", 410);
}

// Whole, with `change` applied before each signature: whoever signs, signs what was changed.
Dossier whole(const Change& change = [](Dossier&) {}) {
  Dossier dossier;
  dossier.request = request();
  change(dossier);
  sign(dossier, dossier.request.by, "requester", 0);
  dossier.approval.emplace();
  sign(dossier, dossier.approval->by, "approver", 100);
  dossier.runs.push_back(clean_run(200));
  change(dossier);
  sign(dossier, dossier.runs[0].by, "operator", 300);
  accept_and_confirm(dossier);
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
  for (const DossierFinding& finding : check(dossier, &known, kNow))
    texts.push_back(finding.member + ": " + finding.what);
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

// A run of a disk that told of itself, and rested.
Dossier whole_with_health() {
  return whole([](Dossier& dossier) {
    if (dossier.runs.empty()) return;
    WipeRun& run = dossier.runs.back();
    run.health_before.emplace();
    for (const wipe::HealthFact& fact : wipe::health_facts()) (*run.health_before).*fact.value = fact.most;
    run.health_after.emplace();
    run.progress.heat = wipe::Heat{3, 64};
  });
}

TEST(DossierHealth, SurvivesBeingWrittenAndIsInOrder) {
  const std::string text = encode(whole_with_health());
  const Dossier read = parse_dossier(text);
  EXPECT_EQ(encode(read), text);
  EXPECT_THAT(findings(read), IsEmpty());
  EXPECT_THAT(text, HasSubstr("\"health_after\":{},"));
  EXPECT_THAT(text, HasSubstr("\"heat\":{\"highest_c\":64,\"rests\":3},"));
  EXPECT_EQ(read.runs[0].health_before->media_errors, (1ULL << 53) - 1);
  EXPECT_THAT(encode(whole()), Not(HasSubstr("health"))) << "nobody asked";
}

TEST(DossierHealth, NoMemberCanBeChangedAfterwards) {
  using Member = std::function<void(WipeRun&)>;
  for (const Member& change : std::initializer_list<Member>{
           [](WipeRun& run) { run.health_before->failing = 0; }, [](WipeRun& run) { run.health_before->failing.reset(); },
           [](WipeRun& run) { run.health_before.reset(); }, [](WipeRun& run) { run.health_after->temperature_c = 1; },
           [](WipeRun& run) { run.health_after.reset(); }, [](WipeRun& run) { run.progress.heat->highest_c = 63; },
           [](WipeRun& run) { run.progress.heat->rests = 2; }, [](WipeRun& run) { run.progress.heat.reset(); }}) {
    Dossier dossier = whole_with_health();
    change(dossier.runs[0]);
    EXPECT_THAT(findings(dossier), testing::Contains("run 1: something else was signed"));
  }
}

TEST(DossierHealth, WhatIsBeyondItsLimitIsRefused) {
  const std::string text = encode(whole_with_health());
  for (const auto& [from, to] : std::initializer_list<std::pair<std::string, std::string>>{
           {"\"temperature_c\":150", "\"temperature_c\":151"},
           {"\"failing\":1", "\"failing\":2"},
           {"\"failing\":1", "\"failing\":true"},
           {"\"failing\":1", "\"fading\":1"},
           {"\"highest_c\":64", "\"highest_c\":164"},
           {"\"rests\":3", "\"rests\":-3"},
           {"\"health_after\":{}", "\"health_after\":[]"},
           {"\"health_after\":{}", "\"health_after\":null"}}) {
    std::string altered = text;
    altered.replace(altered.find(from), from.size(), to);
    EXPECT_THROW(parse_dossier(altered), Error) << to;
  }
}

TEST(DossierHealth, NoDiskRestsThatWasNeverHot) {
  EXPECT_THAT(findings_of_run([](WipeRun& run) { run.progress.heat = wipe::Heat{1, 40}; }),
              ElementsAre("run 1: the disk rested for heat, and was never hot"));
  EXPECT_THAT(findings_of_run([](WipeRun& run) { run.progress.heat = wipe::Heat{0, 40}; }), IsEmpty());
}

TEST(DossierHealth, TheCertificateSaysWhatTheDiskTold) {
  const std::string page = certificate_page(whole_with_health(), {});
  for (const char* const said : {"health before", "trước khi xóa", "nhiệt độ / temperature 150 °C", "failing",
                                 "tuổi thọ đã dùng / used 255 %", "the disk tells nothing", "64 °C; 3"})
    EXPECT_THAT(page, HasSubstr(said));
  EXPECT_THAT(certificate_page(whole(), {}), Not(HasSubstr("health")));
}

TEST(Dossier, IsRefusedInAnyOtherForm) {
  const std::string text = encode(whole());
  const std::string same[] = {" " + text,
                              text + "\n",
                              text.substr(0, text.size() - 1),
                              "{" + text,
                              "{\"zzz\":1," + text.substr(1),
                              std::string(text).replace(text.find(",\"request\""), 1, ", "),
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
  sign(dossier, dossier.request.by, "requester", 0);
  dossier.approval.emplace();
  sign(dossier, dossier.approval->by, "requester", 10);
  EXPECT_THAT(findings(dossier), ElementsAre("approval: who requested it approved it"));
  // The same key under another name is the same person.
  sign(dossier, dossier.approval->by, "somebody", "", seed_of("requester"), after(10));
  EXPECT_THAT(findings(dossier), testing::Contains("approval: who requested it approved it"));
  Dossier own = whole();
  own.confirmation.reset();
  sign(own, own.validation->by, "operator", 400);
  EXPECT_THAT(findings(own), ElementsAre("validation: an operator validated it"));
  Dossier owned = whole();
  sign(owned, owned.confirmation->by, "operator", 410);
  EXPECT_THAT(findings(owned), ElementsAre("confirmation: an operator confirmed it"));
}

TEST(Dossier, TimesFollowEachOther) {
  Dossier late = whole();
  sign(late, late.confirmation->by, "owner", 399);
  EXPECT_THAT(findings(late), ElementsAre("confirmation: its time is before that of what it follows"));
  sign(late, late.confirmation->by, "owner", 5000);
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
  EXPECT_THAT(findings_of_run([](WipeRun& run) { run.plan_hash = wipe::plan_hash(wipe::shipped_plan("bsi-vsitr")); }),
              ElementsAre("run 1: its plan is not the one that was approved"));
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

// ---- Several media

const wipe::Plan& plan_named(std::string_view name) { return wipe::shipped_plan(name); }

// Medium 1 is to be overwritten, medium 2 overwritten, medium 3, known by its label, destroyed.
Dossier approved_three() {
  Dossier dossier;
  dossier.request = request();
  dossier.request.plans = {wipe::document(plan_named("destroy")), wipe::document(plan_named("nist-clear"))};
  std::ranges::sort(dossier.request.plans);
  RequestedMedium second = dossier.request.media[0];
  second.serial = "SN-0002";
  RequestedMedium third;
  third.asset = "TS-3";
  third.serial_by_hand = true;
  third.plan = "destroy";
  third.plan_hash = wipe::plan_hash(plan_named("destroy"));
  dossier.request.media.push_back(second);
  dossier.request.media.push_back(third);
  sign(dossier, dossier.request.by, "requester", 0);
  dossier.approval.emplace();
  sign(dossier, dossier.approval->by, "approver", 100);
  return dossier;
}

void run_on(Dossier& dossier, std::size_t medium, std::int64_t at, const std::function<void(WipeRun&)>& change = {}) {
  WipeRun run = clean_run(at);
  run.medium = medium;
  run.identity.serial = dossier.request.media[medium].serial;
  if (change) change(run);
  sign(dossier, add(dossier, std::move(run)).by, "operator", at + 10);
}

void fail_run(WipeRun& run) {
  run.progress.steps[0].bad.add({4096, 4096});
  run.progress.steps[1].done_bytes -= 4096;
  run.verdict = "destroy";
  run.verdict_reason = "blocks could not be written in the last pass";
  run.exit_code = 6;
}

Destruction shredded(std::size_t medium) {
  Destruction destruction;
  destruction.medium = medium;
  destruction.method = "shred";
  destruction.particle_um = 2500;
  destruction.place = "yard <2>";
  destruction.destroyed = after(350);
  destruction.witnesses = {"somebody else"};
  destruction.photographs = {{"left.jpg", crypto::sha256(as_bytes("left"))}};
  return destruction;
}

void destroy(Dossier& dossier, Destruction destruction, std::int64_t at = 360) {
  sign(dossier, add(dossier, std::move(destruction)).by, "destroyer", at);
}

std::vector<std::string> findings_by_anyone(const Dossier& dossier) {
  std::vector<std::string> texts;
  for (const DossierFinding& finding : check(dossier, nullptr, kNow))
    texts.push_back(finding.member + ": " + finding.what);
  return texts;
}

TEST(Dossier, MediaAreFinishedInAnyOrder) {
  Dossier dossier = approved_three();
  run_on(dossier, 1, 200);
  EXPECT_THAT(findings(dossier), IsEmpty());
  run_on(dossier, 0, 220);
  run_on(dossier, 1, 240);
  destroy(dossier, shredded(2));
  accept_and_confirm(dossier);
  EXPECT_THAT(findings_by_anyone(dossier), IsEmpty());
  EXPECT_EQ(dossier.runs[0].medium, 0U);
  EXPECT_EQ(dossier.runs[1].medium, 1U);
  EXPECT_EQ(dossier.runs[1].progress.segments[0].began, after(200));
  const std::string text = encode(dossier);
  EXPECT_EQ(encode(parse_dossier(text)), text);
}

TEST(Dossier, ARunKnowsTheEarlierOnesOnItsMedium) {
  Dossier dossier = approved_three();
  run_on(dossier, 1, 200);
  run_on(dossier, 1, 240);
  dossier.runs.erase(dossier.runs.begin());
  EXPECT_THAT(findings(dossier), ElementsAre("run 1: something else was signed"));
}

TEST(Dossier, BenchesAreJoined) {
  const Dossier approved = approved_three();
  Dossier one = approved, other = approved;
  run_on(one, 0, 200);
  run_on(other, 1, 210);
  destroy(other, shredded(2));
  const Dossier joined = join(one, other);
  EXPECT_EQ(encode(joined), encode(join(other, one)));
  EXPECT_EQ(joined.runs.size(), 2U);
  EXPECT_EQ(joined.destructions.size(), 1U);
  EXPECT_THAT(findings_by_anyone(joined), IsEmpty());
  EXPECT_EQ(encode(join(joined, one)), encode(joined));
  EXPECT_EQ(encode(join(approved, joined)), encode(joined));
  Dossier accepted = joined;
  accept_and_confirm(accepted);
  EXPECT_EQ(encode(join(other, accepted)), encode(accepted));
  EXPECT_EQ(encode(join(accepted, accepted)), encode(accepted));
  Dossier unconfirmed = accepted;
  unconfirmed.confirmation.reset();
  EXPECT_EQ(encode(join(unconfirmed, accepted)), encode(accepted));
  EXPECT_EQ(encode(join(accepted, unconfirmed)), encode(accepted));
}

TEST(Dossier, WhatContradictsIsNotJoined) {
  const Dossier approved = approved_three();
  Dossier one = approved, other = approved;
  run_on(one, 0, 200);
  run_on(other, 0, 230);
  EXPECT_THROW(join(one, other), Error);
  Dossier later = one;
  run_on(later, 0, 240);
  EXPECT_EQ(join(one, later).runs.size(), 2U);
  Dossier accepted = one;
  accept_and_confirm(accepted);
  EXPECT_THROW(join(accepted, later), Error);  // something was done after somebody had looked at all of it
  Dossier rejected = one;
  rejected.validation = WipeValidation{Decision::reject, {}};
  sign(rejected, rejected.validation->by, "validator", 405);
  EXPECT_THROW(join(accepted, rejected), Error);
  Dossier unapproved = approved;
  unapproved.approval.reset();
  EXPECT_THROW(join(unapproved, one), Error);
}

TEST(Dossier, DestructionIsOfWhatWasApprovedForItOrFailed) {
  Dossier dossier = approved_three();
  destroy(dossier, shredded(0));
  EXPECT_THAT(findings_by_anyone(dossier), ElementsAre(HasSubstr("it was not approved")));
  dossier = approved_three();
  run_on(dossier, 0, 200);
  destroy(dossier, shredded(0));
  EXPECT_THAT(findings_by_anyone(dossier), ElementsAre(HasSubstr("it was not approved")));
  dossier = approved_three();
  run_on(dossier, 0, 200, fail_run);
  EXPECT_TRUE(is_to_be_destroyed(dossier, 0));
  destroy(dossier, shredded(0));
  EXPECT_THAT(findings_by_anyone(dossier), IsEmpty());
  EXPECT_FALSE(is_to_be_destroyed(dossier, 0));
  EXPECT_TRUE(is_to_be_destroyed(dossier, 2));
}

TEST(Dossier, DestructionIsWitnessedDatedAndOfAKnownMethod) {
  const auto findings_of = [](const std::function<void(Destruction&)>& change) {
    Dossier dossier = approved_three();
    Destruction destruction = shredded(2);
    change(destruction);
    destroy(dossier, std::move(destruction));
    return findings_by_anyone(dossier);
  };
  EXPECT_THAT(findings_of([](Destruction&) {}), IsEmpty());
  EXPECT_THAT(findings_of([](Destruction& d) { d.witnesses.clear(); }),
              ElementsAre(HasSubstr("nobody else witnessed it")));
  EXPECT_THAT(findings_of([](Destruction& d) { d.witnesses = {"destroyer"}; }), ElementsAre(HasSubstr("nobody else")));
  EXPECT_THAT(findings_of([](Destruction& d) { d.method = "hammer"; }),
              testing::Contains(HasSubstr("its method is none")));
  EXPECT_THAT(findings_of([](Destruction& d) { d.method = "melt"; }), ElementsAre(HasSubstr("size of particles")));
  EXPECT_THAT(findings_of([](Destruction& d) { d.particle_um = 0; }), ElementsAre(HasSubstr("size of particles")));
  EXPECT_THAT(findings_of([](Destruction& d) { d.destroyed = after(50); }), ElementsAre(HasSubstr("its times")));
  EXPECT_THAT(findings_of([](Destruction& d) { d.destroyed = after(361); }), ElementsAre(HasSubstr("its times")));
  EXPECT_THAT(findings_of([](Destruction& d) { d.medium = 3; }), ElementsAre(HasSubstr("nobody requested")));
}

TEST(Dossier, WhoDestroyedItNeitherValidatesNorConfirms) {
  Dossier dossier = approved_three();
  destroy(dossier, shredded(2));
  dossier.validation = WipeValidation{Decision::accept, {}};
  sign(dossier, dossier.validation->by, "destroyer", 400);
  dossier.confirmation.emplace();
  sign(dossier, dossier.confirmation->by, "destroyer", 410);
  EXPECT_THAT(findings_by_anyone(dossier),
              ElementsAre("validation: an operator validated it", "confirmation: an operator confirmed it"));
}

TEST(Dossier, WhatIsForDestructionIsNotWiped) {
  Dossier dossier = approved_three();
  run_on(dossier, 2, 200);
  EXPECT_THAT(findings(dossier), ElementsAre("run 1: it is of a medium that was approved for destruction only"));
}

TEST(Dossier, TheRequestHoldsThePlansOfItsMediaAndNoOthers) {
  const auto findings_of = [](const std::function<void(WipeRequest&)>& change) {
    Dossier dossier;
    dossier.request = request();
    change(dossier.request);
    sign(dossier, dossier.request.by, "requester", 0);
    return findings(dossier);
  };
  EXPECT_THAT(findings_of([](WipeRequest&) {}), IsEmpty());
  EXPECT_THAT(findings_of([](WipeRequest& r) { r.plans.clear(); }), ElementsAre(HasSubstr("does not hold the plan")));
  EXPECT_THAT(findings_of([](WipeRequest& r) { r.plans.push_back(r.plans[0]); }),
              ElementsAre(HasSubstr("not in their order")));
  EXPECT_THAT(findings_of([](WipeRequest& r) { r.plans.push_back("{~"); }),
              ElementsAre(HasSubstr("a plan for no medium")));
  EXPECT_THAT(findings_of([](WipeRequest& r) { r.media[0].plan = "schneier"; }),
              ElementsAre(HasSubstr("of another name")));
  EXPECT_THAT(findings_of([](WipeRequest& r) { r.media[0].serial = ""; }),
              ElementsAre(HasSubstr("has no serial or no size")));
  EXPECT_THAT(findings_of([](WipeRequest& r) { r.media[0].size_bytes = 0; }),
              ElementsAre(HasSubstr("has no serial or no size")));
  EXPECT_THAT(findings_of([](WipeRequest& r) {
                r.plans = {"{}"};
                r.media[0].plan_hash = crypto::sha256(as_bytes("{}"));
              }),
              ElementsAre("medium 1: this is no document of a plan"));
}

TEST(Dossier, StateSecretsMayBeApprovedForDestruction) {
  Dossier dossier;
  dossier.request = request("destroy");
  dossier.request.classification = "state-secret";
  sign(dossier, dossier.request.by, "requester", 0);
  dossier.approval.emplace();
  sign(dossier, dossier.approval->by, "approver", 100);
  EXPECT_THAT(findings(dossier), IsEmpty());
}

TEST(CertificatePage, OfDestructionSaysWhoSaysSo) {
  Dossier dossier = approved_three();
  EXPECT_THAT(certificate_page(dossier, {}), HasSubstr("Phải tiêu hủy vật lý"));
  destroy(dossier, shredded(2));
  EXPECT_THAT(certificate_page(dossier, {}), Not(HasSubstr("Giấy chứng nhận tiêu hủy")));
  accept_and_confirm(dossier);
  const std::string page = certificate_page(dossier, {});
  EXPECT_THAT(page, HasSubstr("Giấy chứng nhận tiêu hủy phương tiện lưu trữ"));
  EXPECT_THAT(page, HasSubstr("2,5 mm"));
  EXPECT_THAT(page, HasSubstr("left.jpg"));
  EXPECT_THAT(page, HasSubstr("yard &lt;2&gt;"));
  EXPECT_THAT(page, HasSubstr("<b>destroyer</b>"));
  EXPECT_THAT(page, Not(HasSubstr("Giấy chứng nhận xóa dữ liệu")));  // the other two were not wiped
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

// ---- What a disk's firmware did

constexpr std::uint64_t kHiddenBytes = 1 << 16;

wipe::CommandRecord sanitize_command(std::int64_t at) {
  wipe::CommandRecord record;
  record.command = Bytes(16);
  record.command[0] = std::byte{0x85};
  record.command[4] = std::byte{0x12};
  record.command[14] = std::byte{0xb4};
  record.result.sense = Bytes(22, std::byte{1});
  record.first = record.last = after(at);
  return record;
}

// By bsi-gs: hidden areas, a pass, its read-back, the firmware, the check. An HPA was found.
WipeRun run_by_firmware(std::int64_t at) {
  const std::uint64_t size = (1 << 20) + kHiddenBytes;
  WipeRun run = clean_run(at);
  run.plan_hash = wipe::plan_hash(wipe::shipped_plan("bsi-gs"));
  run.contents = {"", "random", "", "", ""};
  run.progress.steps.clear();
  for (int i = 0; i < 5; ++i) {
    wipe::StepProgress step;
    step.began = after(at + i);
    step.ended = after(at + i + 1);
    run.progress.steps.push_back(step);
  }
  std::vector<wipe::StepProgress>& steps = run.progress.steps;
  steps[0].hidden = wipe::HiddenRemoval{{{wipe::HiddenKind::hpa, kHiddenBytes, size, true}}, {sanitize_command(at)}};
  steps[0].size_bytes = size;
  steps[1].done_bytes = steps[2].done_bytes = steps[1].watermark = steps[2].watermark = size;
  steps[3].firmware = wipe::FirmwareProgress{wipe::FirmwareMethod::ata_sanitize_block,
                                             wipe::FirmwarePhase::completed,
                                             wipe::Acceptance::seen,
                                             wipe::Completion::seen,
                                             false,
                                             1,
                                             {0, 4096, 8192},
                                             {},
                                             {sanitize_command(at)}};
  steps[3].size_bytes = size;
  steps[4].remains = wipe::Remains{3, 0, 0, {}, 4096, {}};
  steps[4].remains->histogram[0] = 4096;
  run.progress.segments = {{after(at), after(at + 5), 0, 0}};
  run.verdict = "purge";
  run.verdict_reason = "the disk's own erasure was seen to succeed";
  return run;
}

Dossier whole_by_firmware(const std::function<void(WipeRun&)>& change = [](WipeRun&) {}) {
  Dossier dossier;
  dossier.request = request("bsi-gs");
  sign(dossier, dossier.request.by, "requester", 0);
  dossier.approval.emplace();
  sign(dossier, dossier.approval->by, "approver", 100);
  dossier.runs.push_back(run_by_firmware(200));
  change(dossier.runs[0]);
  sign(dossier, dossier.runs[0].by, "operator", 300);
  accept_and_confirm(dossier);
  return dossier;
}

TEST(DossierFirmware, SurvivesBeingWrittenAndIsInOrder) {
  const Dossier dossier = whole_by_firmware();
  EXPECT_THAT(findings(dossier), IsEmpty());
  const std::string text = encode(dossier);
  EXPECT_EQ(encode(parse_dossier(text)), text);
  EXPECT_EQ(parse_dossier(text).runs[0].progress, dossier.runs[0].progress);
  EXPECT_EQ(assess(parse_dossier(text), 0).verdict, wipe::Verdict::purge);
}

// Each fact that the verdict rests on, changed by whoever signs it, who leaves the verdict as it was.
TEST(DossierFirmware, EveryFactIsHeldToTheVerdict) {
  using Steps = std::vector<wipe::StepProgress>;
  struct Fact {
    const char* name;
    void (*change)(Steps&);
  };
  const Fact kFacts[] = {
      {"acceptance refused", [](Steps& s) { s[3].firmware->acceptance = wipe::Acceptance::refused; }},
      {"acceptance unseen", [](Steps& s) { s[3].firmware->acceptance = wipe::Acceptance::unseen; }},
      {"completion failed", [](Steps& s) { s[3].firmware->completion = wipe::Completion::failed; }},
      {"completion unseen", [](Steps& s) { s[3].firmware->completion = wipe::Completion::unseen; }},
      {"method of Clear", [](Steps& s) { s[3].firmware->method = wipe::FirmwareMethod::ata_secure_erase; }},
      {"password", [](Steps& s) { s[3].firmware->password_remains = true; }},
      {"no command", [](Steps& s) { s[3].firmware->commands.clear(); }},
      {"another command", [](Steps& s) { s[3].firmware->commands[0].command[14] = std::byte{0xec}; }},
      {"no erasure", [](Steps& s) { s[3].firmware.reset(); }},
      {"a hidden area left by the firmware step",
       [](Steps& s) {
         s[3].firmware->hidden_areas = {{wipe::HiddenKind::dco, 512, 0, false}};
       }},
      {"a hidden area left", [](Steps& s) { s[0].hidden->areas[0].removed = false; }},
      {"the area that explains the size", [](Steps& s) { s[0].hidden->areas.clear(); }},
      {"no look for hidden areas", [](Steps& s) { s[0].hidden.reset(); }},
      {"a larger disk than was hidden", [](Steps& s) { s[0].size_bytes = *s[0].size_bytes + 512; }},
      {"a disk that did not grow", [](Steps& s) { s[0].size_bytes = 1 << 20; }},
      {"no size", [](Steps& s) { s[3].size_bytes.reset(); }},
      {"a marker unchanged", [](Steps& s) { s[4].remains->markers_unchanged = 1, s[4].remains->markers_changed = 2; }},
      {"a marker unreadable",
       [](Steps& s) { s[4].remains->markers_unreadable = 1, s[4].remains->markers_changed = 2; }},
      {"fewer markers", [](Steps& s) { s[4].remains->markers_changed = 2; }},
      {"other markers", [](Steps& s) { s[3].firmware->marker_offsets.pop_back(); }},
      {"signature", [](Steps& s) { s[4].remains->signatures = {"GPT at byte 512"}; }},
      {"no look", [](Steps& s) { s[4].remains.reset(); }},
      {"no end of the look", [](Steps& s) { s[4].ended.reset(); }},
      {"not all read back", [](Steps& s) { s[2].done_bytes = 1 << 20; }},
      {"an erasure where there is none", [](Steps& s) { s[1].firmware = s[3].firmware; }},
  };
  for (const Fact& fact : kFacts)
    EXPECT_THAT(findings(whole_by_firmware([&](WipeRun& run) { fact.change(run.progress.steps); })), Not(IsEmpty()))
        << fact.name;
}

TEST(DossierFirmware, NoByteCanBeChanged) {
  const std::string text = encode(whole_by_firmware());
  const Signers known = people();
  for (std::size_t at = 0; at < text.size(); at += 13) {
    std::string altered = text;
    altered[at] = static_cast<char>(altered[at] ^ (1 << (at % 7)));
    try {
      EXPECT_FALSE(check(parse_dossier(altered), &known, kNow).empty()) << at;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::damaged) << at;
    }
  }
}

TEST(DossierFirmware, AMethodThatIsNoneIsRefused) {
  std::string text = encode(whole_by_firmware());
  const std::string name = "ata-sanitize-block";
  text.replace(text.find(name), name.size(), "purge-auto");
  EXPECT_THROW(parse_dossier(text), Error) << "what was chosen is one method";
}

TEST(DossierFirmware, TheCertificateSaysWhatTheDiskDid) {
  const std::string page = certificate_page(whole_by_firmware(), {});
  for (const char* const said : {"ata-sanitize-block", "Purge", "accepted", "completed", "markers", "HPA 65536 byte",
                                 "removed", "1048576; 1114112 byte", "the disk's own command", "vùng ẩn"})
    EXPECT_THAT(page, HasSubstr(said));
}

TEST(DossierFirmware, TheCertificateOfASampleSaysThatItWasOne) {
  wipe::Plan plan = wipe::sampled(wipe::shipped_plan("nist-clear"));
  plan.name = "site";
  plan.steps.push_back({wipe::StepKind::discard});
  const std::uint64_t size = 1ULL << 30;
  Dossier dossier;
  dossier.request = request();
  dossier.request.plans = {wipe::document(plan)};
  dossier.request.media[0].plan = "site";
  dossier.request.media[0].plan_hash = wipe::plan_hash(plan);
  dossier.request.media[0].size_bytes = size;
  sign(dossier, dossier.request.by, "requester", 0);
  dossier.approval.emplace();
  sign(dossier, dossier.approval->by, "approver", 100);
  WipeRun run = clean_run(200);
  run.plan_hash = wipe::plan_hash(plan);
  run.geometry.size_bytes = size;
  run.progress.steps[0].done_bytes = size;
  run.progress.steps[1].done_bytes = wipe::sample_bytes(run.geometry);
  run.contents.emplace_back();
  run.progress.steps.push_back({});
  run.progress.steps[2].began = run.progress.steps[2].ended = after(202);
  run.verdict_reason = "everything was written, and a sample of it was read back";
  dossier.runs.push_back(run);
  sign(dossier, dossier.runs[0].by, "operator", 300);
  accept_and_confirm(dossier);
  EXPECT_THAT(findings(dossier), IsEmpty());
  const std::string page = certificate_page(dossier, {});
  EXPECT_THAT(page, HasSubstr("a sample of"));
  EXPECT_THAT(page, HasSubstr("SP 800-88 Rev. 1, 4.7.2"));
  EXPECT_THAT(page, HasSubstr("no erasure, and no part of the category"));
}

TEST(DossierFirmware, APlanUnderTheNameOfAnotherIsFound) {
  wipe::Plan plan = wipe::shipped_plan("gutmann");
  plan.steps = wipe::shipped_plan("nist-clear").steps;
  const Dossier dossier = whole([&](Dossier& changed) {
    changed.request.plans = {wipe::document(plan)};
    changed.request.media[0].plan = plan.name;
    changed.request.media[0].plan_hash = wipe::plan_hash(plan);
    if (!changed.runs.empty()) changed.runs[0].plan_hash = wipe::plan_hash(plan);
  });
  EXPECT_THAT(findings(dossier),
              ElementsAre("medium 1: its plan bears the name of one that comes with the program, and is another"));
}

}  // namespace
}  // namespace qcbak::evidence
