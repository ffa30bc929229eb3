// One file of signed members that says who asked for media to be wiped, who approved it, what was done, who looked at it, and
// that the owner knows. docs/sanitisation.md "The dossier".
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "control/statement.h"
#include "crypto/asymmetric.h"
#include "wipe/linux_disks.h"
#include "wipe/verdict.h"

namespace qcbak::evidence {

inline constexpr std::string_view kDossierFormat = "qcbak dossier 1";
inline constexpr std::size_t kDossierLimit = 32U << 20;
inline constexpr std::size_t kDossierMediaLimit = 256;
inline constexpr std::size_t kDossierRunLimit = 1024;
inline constexpr std::size_t kWitnessLimit = 16;
inline constexpr std::size_t kSandboxNameLimit = 8;
inline constexpr std::size_t kPhotographLimit = 64;
inline constexpr std::string_view kStateSecret = "state-secret";

// Whose a member is.
struct Signed {
  control::Statement statement;
  crypto::SignPublic key;
  crypto::Signature signature;
};

// Texts of disks are as printable() gives them. A medium that is to be destroyed may be known by its label alone: then it has
// no size, and perhaps no serial.
struct RequestedMedium {
  std::string asset;
  std::string serial;
  bool serial_by_hand = false;
  std::string model;
  std::string vendor;
  std::uint64_t size_bytes = 0;
  std::string plan;
  crypto::Sha256 plan_hash;
};

struct WipeRequest {
  std::string id;
  std::string reason;
  std::string destination;
  std::string classification;
  Time expires;
  std::vector<std::string> plans;  // documents, in ascending order, each once: of those that the media name
  std::vector<RequestedMedium> media;
  Signed by;
};
bool is_wipe_reason(std::string_view text);
bool is_classification(std::string_view text);

struct WipeApproval {
  Signed by;
};

struct WipeRun {
  std::size_t medium = 0;  // index
  std::string job;
  crypto::Sha256 plan_hash;
  wipe::Identity identity;
  wipe::Geometry geometry;
  std::string device;
  wipe::Attachment attachment;
  std::string tool;
  std::string host;
  std::string kernel;
  std::vector<std::string> sandbox;   // what held the process that had the disk; empty: nothing is said
  std::string given_up;               // "hung" or "crawling": nobody waited for the disk any longer; empty: it was not
  std::optional<wipe::Health> health_before;  // nothing: nobody asked
  std::optional<wipe::Health> health_after;   // likewise
  std::vector<std::string> contents;  // of each step that was reached
  wipe::Progress progress;            // to the second
  std::string verdict;
  std::string verdict_reason;
  int exit_code = 1;
  Signed by;
};

struct Photograph {
  std::string name;
  crypto::Sha256 hash;
};

// That a medium was destroyed physically.
struct Destruction {
  std::size_t medium = 0;  // index
  std::string method;
  std::uint32_t particle_um = 0;  // of the largest particles that were left; 0 where the method leaves none
  std::string place;
  Time destroyed;
  std::vector<std::string> witnesses;
  std::vector<Photograph> photographs;
  Signed by;
};
bool is_destruction_method(std::string_view text);
bool leaves_particles(std::string_view method);  // and their size has to be said

enum class Decision { accept, reject };
struct WipeValidation {
  Decision decision = Decision::reject;
  Signed by;
};

struct WipeConfirmation {
  Signed by;
};

struct Dossier {
  WipeRequest request;
  std::optional<WipeApproval> approval;
  std::vector<WipeRun> runs;              // by medium, those of one in their order
  std::vector<Destruction> destructions;  // by medium, one for each at most
  std::optional<WipeValidation> validation;
  std::optional<WipeConfirmation> confirmation;
};

// By its beginning alone, and also when a byte of it was altered.
bool looks_like_dossier(std::string_view beginning);
// Error(damaged) unless it is what encode() gives for some dossier.
Dossier parse_dossier(std::string_view text);
// One line with its LF. Its texts are UTF-8.
std::string encode(const Dossier& dossier);

// Put where they belong. The reference holds until another is added.
WipeRun& add(Dossier& dossier, WipeRun run);
Destruction& add(Dossier& dossier, Destruction destruction);
// Signs a member of the dossier, in the name of `by`.
void sign(const Dossier& dossier, Signed& member, std::string_view by, std::string reason, const crypto::SignSeed& seed,
          Time now);
// What two benches added to the same approved request. Error(refused) when both have runs on one medium, or something was
// added to one that the other should have known.
Dossier join(const Dossier& one, const Dossier& other);

// That a medium was approved for. Error(damaged) when the request does not hold it.
wipe::Plan plan_of(const Dossier& dossier, std::size_t medium);
// Of a run by its index, with what earlier runs on the same medium found. Error(damaged) when its plan is none.
wipe::Assessment assess(const Dossier& dossier, std::size_t run);
int exit_code_of(wipe::Verdict verdict);
// The last on a medium, by its index; null when there is none.
const WipeRun* last_run(const Dossier& dossier, std::size_t medium);
bool succeeded(const WipeRun& run);
const Destruction* destruction_of(const Dossier& dossier, std::size_t medium);
// That its plan, or what its last run came to, leaves nothing else, and that it has not happened yet.
bool is_to_be_destroyed(const Dossier& dossier, std::size_t medium);
// A sentence; empty when the medium may have one. That nothing is wrong with the dossier is check()'s to say.
std::string why_no_certificate(const Dossier& dossier, std::size_t medium);

struct DossierFinding {
  std::string member;  // "run 1"
  std::string what;    // a sentence
};
using Signers = std::set<crypto::SignPublic>;
// What is wrong with it; empty when nothing is. `known`: keys of those who may sign; null: whoever signed.
std::vector<DossierFinding> check(const Dossier& dossier, const Signers* known, Time now);

// Each member with who signed it, in their order.
struct SignedMember {
  std::string name;
  const Signed* by = nullptr;
};
std::vector<SignedMember> signed_members(const Dossier& dossier);

// 2026-11-21T02:30:00Z
std::string utc_seconds(Time time);

}  // namespace qcbak::evidence
