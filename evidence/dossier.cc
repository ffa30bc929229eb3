#include "evidence/dossier.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "crypto/signing_key.h"
#include "evidence/dossier_json.h"
#include "evidence/dossier_runs.h"
#include "evidence/log_json.h"

namespace qcbak::evidence {
namespace {

template <std::size_t Size>
bool is_one_of(std::string_view text, const std::array<std::string_view, Size>& texts) {
  return std::ranges::find(texts, text) != texts.end();
}

// After all that are of the same medium or of one before it.
template <class Member>
Member& add_to(std::vector<Member>& members, Member member) {
  const auto at = std::ranges::upper_bound(members, member.medium, {}, &Member::medium);
  return *members.insert(at, std::move(member));
}

}  // namespace

std::string utc_seconds(Time time) {
  constexpr std::size_t kWithoutFraction = std::string_view("2026-11-21T02:30:00").size();
  return utc_text(time).substr(0, kWithoutFraction) + "Z";
}

bool is_wipe_reason(std::string_view text) { return is_one_of<4>(text, {"disposal", "transfer", "reuse", "repair"}); }

bool is_classification(std::string_view text) {
  return is_one_of<4>(text, {"not-stated", "ordinary", "sensitive", kStateSecret});
}

bool is_destruction_method(std::string_view text) {
  return is_one_of<5>(text, {"shred", "disintegrate", "pulverize", "incinerate", "melt"});
}

bool leaves_particles(std::string_view method) { return is_one_of<3>(method, {"shred", "disintegrate", "pulverize"}); }

bool looks_like_dossier(std::string_view beginning) {
  constexpr std::size_t kNear = 4096, kVeryNear = 64;
  return beginning.substr(0, kNear).find("qcbak dossier") != beginning.npos ||
         beginning.starts_with("{\"approval\":{\"public_key\"") ||
         beginning.substr(0, kVeryNear).find("\"request\":{") != beginning.npos;
}

WipeRun& add(Dossier& dossier, WipeRun run) { return add_to(dossier.runs, std::move(run)); }
Destruction& add(Dossier& dossier, Destruction destruction) {
  return add_to(dossier.destructions, std::move(destruction));
}

void sign(const Dossier& dossier, Signed& member, std::string_view by, std::string reason, const crypto::SignSeed& seed,
          Time now) {
  member = {};
  member.key = crypto::sign_public(seed);
  const Written written = write(dossier);
  const auto covered = std::ranges::find(written.members, &member, &Covered::by);
  qcbak::check(covered != written.members.end(), "what is signed is a member of the dossier");
  member.statement = {covered->act, std::string(by),     dossier.request.id, std::move(reason),
                      "",           covered->hash.hex(), format_time(now)};
  member.signature = crypto::sign_statement(seed, control::encode(member.statement));
}

wipe::Plan plan_of(const Dossier& dossier, std::size_t medium) {
  const crypto::Sha256& hash = dossier.request.media.at(medium).plan_hash;
  for (const std::string& document : dossier.request.plans)
    if (crypto::sha256(as_bytes(document)) == hash) return wipe::plan_of(document);
  throw Error(ErrorCode::damaged, "the request does not hold the plan that it names");
}

wipe::OverwriteResult result_of(const Dossier& dossier, const WipeRun& run) {
  wipe::Plan plan = plan_of(dossier, run.medium);
  if (run.progress.steps.size() > plan.steps.size()) throw Error(ErrorCode::damaged, "it has more steps than its plan");
  return {{}, run.identity, run.geometry, plan, wipe::plan_hash(plan), run.contents, run.progress};
}

wipe::Assessment assess(const Dossier& dossier, std::size_t run) {
  const WipeRun& assessed = dossier.runs.at(run);
  wipe::Facts facts = wipe::facts_of(result_of(dossier, assessed));
  for (std::size_t i = 0; i < run; ++i)
    if (dossier.runs[i].medium == assessed.medium)
      facts.mismatched_before =
          facts.mismatched_before || wipe::facts_of(result_of(dossier, dossier.runs[i])).mismatching_bytes > 0;
  facts.given_up = wipe::given_up_named(assessed.given_up);
  return wipe::assess(facts);
}

int exit_code_of(wipe::Verdict verdict) {
  if (wipe::is_success(verdict)) return 0;
  return verdict == wipe::Verdict::destroy ? 6 : 1;
}

const WipeRun* last_run(const Dossier& dossier, std::size_t medium) {
  const auto at = std::find_if(dossier.runs.rbegin(), dossier.runs.rend(),
                               [medium](const WipeRun& run) { return run.medium == medium; });
  return at == dossier.runs.rend() ? nullptr : &*at;
}

bool succeeded(const WipeRun& run) { return run.exit_code == 0; }

const Destruction* destruction_of(const Dossier& dossier, std::size_t medium) {
  const auto at = std::ranges::find(dossier.destructions, medium, &Destruction::medium);
  return at == dossier.destructions.end() ? nullptr : &*at;
}

bool is_to_be_destroyed(const Dossier& dossier, std::size_t medium) {
  if (destruction_of(dossier, medium) != nullptr) return false;
  if (dossier.request.media.at(medium).plan == wipe::kDestroyPlan) return true;
  const WipeRun* run = last_run(dossier, medium);
  return run != nullptr && run->exit_code == exit_code_of(wipe::Verdict::destroy);
}

std::string why_no_certificate(const Dossier& dossier, std::size_t medium) {
  if (destruction_of(dossier, medium) == nullptr) {
    const WipeRun* run = last_run(dossier, medium);
    if (run == nullptr)
      return is_to_be_destroyed(dossier, medium) ? "this medium was not destroyed yet"
                                                 : "nothing was done to this medium";
    if (!succeeded(*run)) return "this medium is not cleared: " + run->verdict_reason;
  }
  if (!dossier.validation) return "nobody has validated what was done";
  if (dossier.validation->decision != Decision::accept) return "what was done was rejected";
  return {};
}

std::vector<SignedMember> signed_members(const Dossier& dossier) {
  std::vector<SignedMember> members;
  for (const Covered& member : write(dossier).members) members.push_back({member.name, member.by});
  return members;
}

}  // namespace qcbak::evidence
