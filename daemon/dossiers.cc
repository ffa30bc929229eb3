#include "daemon/dossiers.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "crypto/hash.h"
#include "daemon/signed_statement.h"
#include "evidence/dossier_growth.h"

namespace qcbak::daemon {
namespace {

using Json = nlohmann::json;
using State = MediumState;
using Act = MediumAct;
using Guard = MediumGuard;

constexpr std::int64_t kSignedWithin_ns = 900'000'000'000;

constexpr const char* kSchema = R"(
CREATE TABLE IF NOT EXISTS dossiers (
  id            TEXT PRIMARY KEY,
  document      TEXT NOT NULL,
  requested_ns  INTEGER NOT NULL,
  expires_ns    INTEGER NOT NULL,
  rejected      INTEGER NOT NULL,
  reason        TEXT NOT NULL,
  hands         TEXT NOT NULL,
  first_entry   INTEGER NOT NULL,
  last_entry    INTEGER NOT NULL,
  certified_log TEXT NOT NULL
) STRICT;
)";
constexpr std::string_view kSelect =
    "SELECT id, document, requested_ns, expires_ns, rejected, reason, hands, first_entry, last_entry, certified_log "
    "FROM dossiers ";

KeptDossier read(const Statement& row) {
  KeptDossier kept;
  kept.id = row.text(0);
  kept.document = row.text(1);
  kept.requested = Time{row.integer(2)};
  kept.expires = Time{row.integer(3)};
  kept.rejected = row.integer(4) != 0;
  kept.reason = row.text(5);
  for (const Json& hand : Json::parse(row.text(6)))
    kept.hands.push_back(
        {medium_act_from(hand.at(0).get<std::string>()), hand.at(1).get<std::string>(), hand.at(2).get<std::string>()});
  kept.first_entry = static_cast<std::uint64_t>(row.integer(7));
  kept.last_entry = static_cast<std::uint64_t>(row.integer(8));
  kept.certified_log = row.text(9);
  return kept;
}

std::string text_of(const std::vector<Hand>& hands) {
  Json json = Json::array();
  for (const Hand& hand : hands) json.push_back({name_of(hand.act), hand.name, hand.login});
  return json.dump();
}

[[noreturn]] void refuse(const std::string& why, const std::string& hint = "") {
  throw Error(ErrorCode::refused, why).with_hint(hint.empty() ? "see it: qcbak wipe status" : hint);
}

// By whichever of their names.
bool is_one_person(const Hand& one, const Hand& other) {
  const auto same = [](const std::string& a, const std::string& b) { return !a.empty() && a == b; };
  return same(one.name, other.name) || same(one.login, other.name) || same(one.name, other.login) ||
         same(one.login, other.login);
}

Time time_in(const Json& act) {
  const auto at = parse_time(act.at("at").get<std::string>());
  if (!at) throw Error(ErrorCode::damaged, "its time is none");
  return *at;
}

bool is_imported(const Json& act) { return act.value("imported", false); }

struct GrowthRow {
  Act act;
  const char* member;
};
constexpr GrowthRow kGrowths[] = {{Act::requested, "request"},      {Act::approved, "approval"},
                                  {Act::assessed, "runs"},          {Act::validated, "validation"},
                                  {Act::confirmed, "confirmation"}, {Act::destroyed, "destructions"}};

}  // namespace

MediumAct act_of_growth(const Json& growth) {
  if (growth.is_object()) {
    std::size_t members = growth.size();
    if (growth.contains("format") && growth.contains("request")) --members;
    for (const GrowthRow& row : kGrowths) {
      if (members != 1 || !growth.contains(row.member)) continue;
      const Json& value = growth.at(row.member);
      if (!value.is_array() || value.size() == 1) return row.act;
    }
  }
  throw Error(ErrorCode::usage, "a dossier grows by one member at a time");
}

std::size_t medium_of_growth(const Json& growth) {
  const Json& member = growth.contains("runs") ? growth.at("runs").at(0) : growth.at("destructions").at(0);
  const std::size_t number = member.value("medium", std::size_t{0});
  if (number < 1 || number > evidence::kDossierMediaLimit) throw Error(ErrorCode::usage, "there is no such medium in the dossier");
  return number - 1;
}

const evidence::Signed& signed_by(const evidence::Dossier& dossier, const Json& growth) {
  const Act act = act_of_growth(growth);
  if (act == Act::approved && dossier.approval) return dossier.approval->by;
  if (act == Act::validated && dossier.validation) return dossier.validation->by;
  if (act == Act::confirmed && dossier.confirmation) return dossier.confirmation->by;
  const evidence::WipeRun* run = act == Act::assessed ? evidence::last_run(dossier, medium_of_growth(growth)) : nullptr;
  if (run != nullptr) return run->by;
  const evidence::Destruction* destruction =
      act == Act::destroyed ? evidence::destruction_of(dossier, medium_of_growth(growth)) : nullptr;
  return destruction != nullptr ? destruction->by : dossier.request.by;
}

// One act, by what is kept of its dossier and its media.
class Dossiers::Judge {
 public:
  Judge(Dossiers& dossiers, const Json& act, const std::string& repository, Time time)
      : dossiers_(dossiers),
        act_(act),
        repository_(repository),
        time_(time),
        what_(medium_act_from(act.at("act").get<std::string>())),
        role_(role_from(act.at("role").get<std::string>())),
        at_(time_in(act)) {}

  Judged judged() {
    const std::string id = act_.at("dossier").get<std::string>();
    if (auto kept = dossiers_.dossier(id); kept && kept->id == id) kept_ = std::move(*kept);
    if ((what_ == Act::requested) != kept_.id.empty())
      refuse(kept_.id.empty() ? "there is no dossier " + id : "there is a dossier " + id + " already");
    if (act_.contains("growth"))
      grow(id);
    else
      dossier_ = evidence::parse_dossier(kept_.document);
    switch (what_) {
      case Act::requested: list_media(); break;
      case Act::approved: step_all({State::listed}); break;
      case Act::rejected: reject(); break;
      case Act::assessed: step_one(run_->medium); break;
      case Act::validated: validate(); break;
      case Act::certified: certify(); break;
      case Act::confirmed: confirm(); break;
      case Act::destroyed: step_one(medium_of_growth(act_.at("growth"))); break;
      default: step_one(numbered_medium());
    }
    return {std::move(kept_), std::move(media_)};
  }

 private:
  // ---- The dossier

  void grow(const std::string& id) {
    if (act_of_growth(act_.at("growth")) != what_) refuse("what is added to the dossier is something else");
    std::set<crypto::SignPublic> known;
    if (!kept_.document.empty())
      for (const evidence::SignedMember& member : evidence::signed_members(evidence::parse_dossier(kept_.document)))
        known.insert(member.by->key);
    try {
      kept_.document = evidence::dossier_grown(kept_.document, act_.at("growth").dump());
      dossier_ = evidence::parse_dossier(kept_.document);
    } catch (const Error& error) {
      refuse(std::string("the dossier is altered or not in order: ") + error.what());
    }
    if (dossier_.request.id != id) refuse("the dossier has another id");
    require_signer(known);
    const auto findings = evidence::check(dossier_, &known, at_);
    if (!findings.empty()) refuse("it may not be: " + findings.front().member + ": " + findings.front().what);
    if (what_ == Act::assessed) run_ = evidence::last_run(dossier_, medium_of_growth(act_.at("growth")));
    kept_.hands.push_back(hand_);
  }

  // The name signed is who calls, or, of what came from a bench, who signed there; the key is theirs.
  void require_signer(std::set<crypto::SignPublic>& known) {
    const evidence::Signed& by = signed_by(dossier_, act_.at("growth"));
    const Json& caller = act_.at("by");
    hand_ = {what_, by.statement.by, is_imported(act_) ? "" : caller.value("login", "")};
    if (!is_imported(act_)) {
      // A run is signed by the operator, and brought by whoever is root on that machine.
      if (what_ != Act::assessed && caller.at("user").get<std::string>() != by.statement.by) refuse("it is signed in the name of " + by.statement.by);
      const auto time = parse_time(by.statement.time);
      if (!time || std::abs(time->ns - at_.ns) > kSignedWithin_ns)
        refuse("it was not signed within the last 15 minutes", "compare the two clocks");
    }
    person_ = dossiers_.people_(by.statement.by);
    if (!person_ || !person_->key) refuse("user " + by.statement.by + " has no key here", "make one: qcbak user enrol");
    if (*person_->key != by.key)
      refuse("it is not signed with the key of user " + by.statement.by,
             "compare its fingerprint with the one in \"qcbak user list\"");
    known.insert(by.key);
  }

  // ---- Media

  const evidence::RequestedMedium& requested(std::size_t index) const { return dossier_.request.media.at(index); }

  bool plan_allowed(const Medium& medium, std::size_t index) const {
    const bool secret = dossier_.request.classification == evidence::kStateSecret ||
                        medium.facts.classification == evidence::kStateSecret;
    return requested(index).plan == wipe::kDestroyPlan || (!secret && !medium.only_to_be_destroyed);
  }

  bool ran_something() const {
    return std::any_of(kept_.hands.begin(), kept_.hands.end(),
                       [&](const Hand& hand) { return (hand.act == Act::assessed || hand.act == Act::destroyed) && is_one_person(hand, hand_); });
  }

  bool is_requester() const {
    const auto requester = std::find_if(kept_.hands.begin(), kept_.hands.end(),
                                        [](const Hand& hand) { return hand.act == Act::requested; });
    if (requester == kept_.hands.end()) return false;
    if (is_one_person(*requester, hand_)) return true;
    // Whoever gave somebody their key could sign in their name.
    return person_ && (person_->added_by == requester->name ||
                       (!requester->login.empty() && person_->added_by == requester->login));
  }

  bool has_lapsed(const Medium& medium) {
    const auto before = dossiers_.dossier(medium.dossier);
    return before && at_ > before->expires;
  }

  MediumGuards holding(const Medium& medium, std::size_t index) {
    MediumGuards holding;
    const auto add = [&](bool holds, Guard guard) {
      if (holds) holding.insert(guard);
    };
    add(plan_allowed(medium, index), Guard::plan_allowed);
    add(!is_requester(), Guard::another_person);
    add(!ran_something(), Guard::ran_nothing);
    add(is_imported(act_) || at_ <= dossier_.request.expires, Guard::in_time);
    add(has_lapsed(medium), Guard::lapsed);
    add(requested(index).plan != wipe::kDestroyPlan, Guard::to_be_wiped);
    add(requested(index).plan == wipe::kDestroyPlan, Guard::to_be_destroyed);
    add(medium.run_failed && !dossier_.validation, Guard::run_failed);
    add(medium.job.empty() || medium.job == job(), Guard::same_job);
    add_outcome(holding);
    if (dossier_.validation)
      holding.insert(dossier_.validation->decision == evidence::Decision::accept ? Guard::accepted
                                                                                 : Guard::not_accepted);
    add(medium.listed_from == State::registered, Guard::was_registered);
    add(medium.listed_from == State::quarantine, Guard::was_in_quarantine);
    add(medium.listed_from == State::destroy_required, Guard::was_to_be_destroyed);
    return holding;
  }

  std::string job() const { return what_ == Act::assessed ? run_->job : act_.value("job", ""); }

  void add_outcome(MediumGuards& holding) const {
    if (what_ != Act::assessed) return;
    const int code = run_->exit_code;
    const bool destroy = code == evidence::exit_code_of(wipe::Verdict::destroy);
    holding.insert(code == 0 ? Guard::outcome_success : destroy ? Guard::outcome_destroy : Guard::outcome_neither);
  }

  void step(Medium medium, std::size_t index) {
    const MediumGuards holds = holding(medium, index);
    medium.state = next_state(medium.facts.asset, medium.state, what_, role_, holds);
    medium.since = time_;
    medium.reason = act_.value("reason", "");
    if (what_ == Act::sanitising || what_ == Act::assessed) medium.job = job();
    if (what_ == Act::assessed) {
      medium.run_failed = holds.contains(Guard::outcome_neither);
      medium.only_to_be_destroyed = medium.only_to_be_destroyed || holds.contains(Guard::outcome_destroy);
    }
    media_.push_back(std::move(medium));
  }

  void step_one(std::size_t index) {
    for (Medium& medium : dossiers_.inventory_.in_dossier(kept_.id))
      if (medium.number == index + 1) return step(std::move(medium), index);
    refuse("medium " + std::to_string(index + 1) + " of this dossier is in another one by now");
  }

  // Those that are so far; at least one.
  void step_all(const std::set<State>& from) {
    std::vector<Medium> media = dossiers_.inventory_.in_dossier(kept_.id);
    for (Medium& medium : media)
      if (from.contains(medium.state)) step(medium, medium.number - 1);
    if (!media_.empty()) return;
    if (media.empty()) refuse("the media of this dossier are in others by now");
    step(media.front(), media.front().number - 1);
  }

  static bool agrees(const MediumFacts& known, const evidence::RequestedMedium& medium) {
    const bool by_label = medium.plan == wipe::kDestroyPlan;  // which may not say all of it
    return (known.serial.empty() || known.serial == medium.serial) &&
           (known.model.empty() || known.model == medium.model || (by_label && medium.model.empty())) &&
           (known.size_bytes == 0 || known.size_bytes == medium.size_bytes || (by_label && medium.size_bytes == 0));
  }

  void list_media() {
    kept_.id = dossier_.request.id;
    kept_.requested = at_;
    kept_.expires = dossier_.request.expires;
    std::set<std::string> named;
    for (std::size_t i = 0; i < dossier_.request.media.size(); ++i) {
      const std::string& asset = requested(i).asset;
      auto medium = dossiers_.inventory_.medium(asset);
      if (!medium)
        refuse("medium " + std::to_string(i + 1) + ", \"" + asset + "\", is not in the inventory",
               "take it in: qcbak wipe media import FILE");
      if (!named.insert(asset).second) refuse("medium " + asset + " is named twice");
      if (!agrees(medium->facts, requested(i)))
        refuse("medium " + asset + " has another serial, model or size in the inventory",
               "compare: qcbak wipe media show " + asset);
      const State from = medium->state;
      step(std::move(*medium), i);
      Medium& listed = media_.back();
      if (from == State::registered || from == State::quarantine || from == State::destroy_required)
        listed.listed_from = from;
      listed.dossier = kept_.id;
      listed.number = i + 1;
      listed.job.clear();
      listed.run_failed = false;
    }
  }

  void reject() {
    const std::string by = act_.at("by").at("user").get<std::string>();
    kept_.rejected = true;
    kept_.reason = act_.at("reason").get<std::string>();
    person_ = dossiers_.people_(by);
    if (!person_ || !person_->key) refuse("user " + by + " has no key here", "make one: qcbak user enrol");
    const Bytes signature = from_hex(act_.value("signature", ""));
    if (signature.size() != crypto::Signature::kSize) refuse("it is not signed by user " + by);
    const auto time = require_signed(
        {act_.value("statement", ""), crypto::Signature(signature)}, *person_->key,
        {"wipe.reject", by, kept_.id, kept_.reason, repository_, crypto::sha256(as_bytes(kept_.document)).hex(), ""});
    if (!time || std::abs(time->ns - at_.ns) > kSignedWithin_ns)
      refuse("it was not signed within the last 15 minutes", "compare the two clocks");
    step_all({State::listed});
  }

  void validate() {
    for (const Medium& medium : dossiers_.inventory_.in_dossier(kept_.id)) {
      const bool dealt_with = medium.state == State::assessed || medium.state == State::quarantine ||
                              medium.state == State::destroy_required || medium.state == State::destroyed;
      if (!dealt_with)
        refuse("medium " + medium.facts.asset + " was not dealt with yet: it is " + std::string(name_of(medium.state)),
               "wipe it, or put it aside: qcbak wipe media quarantine " + medium.facts.asset + " --reason R");
    }
    step_all({State::assessed, State::destroyed});
  }

  void certify() {
    const Json& log = act_.at("log");
    if (log.at("first") != kept_.first_entry || log.at("last") != kept_.last_entry)
      refuse("the certificate names other entries of the log");
    kept_.certified_log = log.dump();
    step_all({State::validated, State::destroyed});
  }

  void confirm() {
    if (kept_.certified_log.empty()) refuse("nothing of it is certified yet", "have it certified: qcbak wipe certificate " + kept_.id.substr(0, 8));
    step_all({State::certified, State::destroyed});
  }

  std::size_t numbered_medium() const {
    const auto number = act_.at("medium").get<std::size_t>();
    if (number < 1 || number > dossier_.request.media.size())
      refuse("there is no medium " + std::to_string(number) + " in this dossier");
    if (what_ == Act::inspected && !dossier_.approval) refuse("nobody has approved this request");
    return number - 1;
  }

  Dossiers& dossiers_;
  const Json& act_;
  const std::string& repository_;
  Time time_;
  MediumAct what_;
  config::UserRole role_;
  Time at_;
  KeptDossier kept_;
  evidence::Dossier dossier_;
  const evidence::WipeRun* run_ = nullptr;  // that the act brings
  Hand hand_;
  std::optional<Person> person_;
  std::vector<Medium> media_;
};

Dossiers::Dossiers(Database& database, Inventory& inventory, People people)
    : database_(database), inventory_(inventory), people_(std::move(people)) {
  database_.execute(kSchema);
}

std::optional<Dossiers::Judged> Dossiers::after(const Json& act, const std::string& repository, Time time) {
  if (!act.value("act", "").starts_with("wipe.")) return std::nullopt;
  return Judge(*this, act, repository, time).judged();
}

void Dossiers::apply(const Json& act, const LogPlace& place, const std::string& repository) {
  auto judged = after(act, repository, place.time);
  if (!judged) return;
  for (const Medium& medium : judged->media) inventory_.put(medium);
  if (judged->dossier.first_entry == 0) judged->dossier.first_entry = place.number;
  judged->dossier.last_entry = place.number;
  put(judged->dossier);
}

void Dossiers::put(const KeptDossier& kept) {
  database_
      .prepare(
          "INSERT OR REPLACE INTO dossiers (id, document, requested_ns, expires_ns, rejected, reason, hands, "
          "first_entry, "
          "last_entry, certified_log) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(kept.id)
      .bind(kept.document)
      .bind(kept.requested.ns)
      .bind(kept.expires.ns)
      .bind(std::int64_t{kept.rejected})
      .bind(kept.reason)
      .bind(text_of(kept.hands))
      .bind(static_cast<std::int64_t>(kept.first_entry))
      .bind(static_cast<std::int64_t>(kept.last_entry))
      .bind(kept.certified_log)
      .run();
}

std::optional<KeptDossier> Dossiers::dossier(const std::string& id) {
  constexpr std::size_t kDigitsLeast = 8;
  if (id.size() < kDigitsLeast) return std::nullopt;
  Statement rows = database_.prepare(std::string(kSelect) + "WHERE substr(id, 1, ?) = ? LIMIT 2");
  if (!rows.bind(static_cast<std::int64_t>(id.size())).bind(id).step()) return std::nullopt;
  KeptDossier found = read(rows);
  if (rows.step()) return std::nullopt;
  return found;
}

std::vector<KeptDossier> Dossiers::dossiers(std::int64_t limit) {
  Statement rows = database_.prepare(std::string(kSelect) + "ORDER BY first_entry DESC LIMIT ?");
  rows.bind(limit);
  std::vector<KeptDossier> dossiers;
  while (rows.step()) dossiers.push_back(read(rows));
  return dossiers;
}

}  // namespace qcbak::daemon
