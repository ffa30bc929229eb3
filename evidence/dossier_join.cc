#include <algorithm>

#include "base/error.h"
#include "evidence/dossier.h"

namespace qcbak::evidence {
namespace {

[[noreturn]] void refuse(const std::string& reason) {
  throw Error(ErrorCode::refused, "the two cannot be joined: " + reason);
}

Dossier without_end(Dossier dossier) {
  dossier.validation.reset();
  dossier.confirmation.reset();
  return dossier;
}

Dossier approved_part(Dossier dossier) {
  dossier = without_end(std::move(dossier));
  dossier.runs.clear();
  dossier.destructions.clear();
  return dossier;
}

// Members on one medium, in their order. A signature is of one member only.
template <class Member>
std::vector<Member> of_medium(const std::vector<Member>& members, std::size_t medium) {
  std::vector<Member> found;
  std::ranges::copy_if(members, std::back_inserter(found),
                       [medium](const Member& member) { return member.medium == medium; });
  return found;
}

// Where one side knows what the other did, it may have gone on from there.
template <class Member>
void join_medium(std::vector<Member>& joined, const std::vector<Member>& one, const std::vector<Member>& other) {
  const std::vector<Member>& longer = one.size() < other.size() ? other : one;
  for (std::size_t i = 0; i < std::min(one.size(), other.size()); ++i)
    if (one[i].by.signature != other[i].by.signature) refuse("both say something else of the same medium");
  joined.insert(joined.end(), longer.begin(), longer.end());
}

Dossier join_done(const Dossier& one, const Dossier& other) {
  Dossier joined = approved_part(one);
  for (std::size_t medium = 0; medium < one.request.media.size(); ++medium) {
    join_medium(joined.runs, of_medium(one.runs, medium), of_medium(other.runs, medium));
    join_medium(joined.destructions, of_medium(one.destructions, medium), of_medium(other.destructions, medium));
  }
  return joined;
}

}  // namespace

Dossier join(const Dossier& one, const Dossier& other) {
  if (encode(approved_part(one)) != encode(approved_part(other))) refuse("they are not of the same approved request");
  const Dossier joined = join_done(one, other);
  if (!one.validation && !other.validation) return joined;
  // Who validated saw all that was there: nothing can come to it afterwards.
  const Dossier& further = other.confirmation || (other.validation && !one.confirmation) ? other : one;
  const Dossier& lesser = &further == &one ? other : one;
  if (encode(joined) != encode(without_end(further))) refuse("one of them was validated, and the other goes on");
  const auto differ = [](const auto& a, const auto& b) { return a && b && a->by.signature != b->by.signature; };
  if (differ(further.validation, lesser.validation) || differ(further.confirmation, lesser.confirmation))
    refuse("they were validated or confirmed differently");
  return further;
}

}  // namespace qcbak::evidence
