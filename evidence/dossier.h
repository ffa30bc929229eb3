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
inline constexpr std::string_view kStateSecret = "state-secret";

// Whose a member is.
struct Signed {
  control::Statement statement;
  crypto::SignPublic key;
  crypto::Signature signature;
};

// Texts of disks are as printable() gives them.
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
  std::string plan_document;
  wipe::Identity identity;
  wipe::Geometry geometry;
  std::string device;
  wipe::Attachment attachment;
  std::string tool;
  std::string host;
  std::string kernel;
  std::vector<std::string> contents;  // of each step that was reached
  wipe::Progress progress;            // to the second
  std::string verdict;
  std::string verdict_reason;
  int exit_code = 1;
  Signed by;
};

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
  std::vector<WipeRun> runs;
  std::optional<WipeValidation> validation;
  std::optional<WipeConfirmation> confirmation;
};

// By its beginning alone, and also when a byte of it was altered.
bool looks_like_dossier(std::string_view beginning);
// Error(damaged) unless it is what encode() gives for some dossier.
Dossier parse_dossier(std::string_view text);
// One line with its LF. Its texts are UTF-8.
std::string encode(const Dossier& dossier);

// Signs the member that was put last, in the name of `by`.
void sign_last(Dossier& dossier, std::string_view by, std::string reason, const crypto::SignSeed& seed, Time now);

// Of a run by its index, with what earlier runs on the same medium found. Error(damaged) when its plan is none.
wipe::Assessment assess(const Dossier& dossier, std::size_t run);
int exit_code_of(wipe::Verdict verdict);
// The last on a medium, by its index; null when there is none.
const WipeRun* last_run(const Dossier& dossier, std::size_t medium);
bool succeeded(const WipeRun& run);
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
