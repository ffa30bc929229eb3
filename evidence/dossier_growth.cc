#include "evidence/dossier_growth.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "evidence/log_json.h"

namespace qcbak::evidence {
namespace {

using Canonical = nlohmann::json;  // its objects sort their keys by byte

Canonical members(std::string_view text) {
  if (text.empty()) return Canonical::object();
  if (text.ends_with('\n')) text.remove_suffix(1);
  const Json shallow = parse_object(text);  // which bounds how deep it is
  if (!shallow.is_object()) throw Error(ErrorCode::damaged, "it is no JSON of a dossier");
  return Canonical::parse(text);
}

void require_lists(const Canonical& before, const Canonical& after) {
  if (!before.is_array() || !after.is_array()) throw Error(ErrorCode::damaged, "the dossier did not only grow");
}

// What the second list has more than the first, in its order.
Canonical more_of(const Canonical& before, const Canonical& after) {
  require_lists(before, after);
  Canonical more = Canonical::array();
  std::size_t known = 0;
  for (const Canonical& each : after) {
    if (known < before.size() && each == before[known]) ++known;
    else more.push_back(each);
  }
  return more;
}

// docs/sanitisation.md "Bytes": by medium, and those of one in their order.
Canonical list_of(Canonical list, const Canonical& more) {
  require_lists(list, more);
  for (const Canonical& each : more) list.push_back(each);
  const auto medium = [](const Canonical& each) { return each.is_object() ? each.value("medium", Canonical()) : Canonical(); };
  std::stable_sort(list.begin(), list.end(),
                   [&](const Canonical& one, const Canonical& other) { return medium(one) < medium(other); });
  return list;
}

}  // namespace

std::string dossier_growth(std::string_view before, std::string_view after) {
  const Canonical old = members(before), grown = members(after);
  Canonical growth = Canonical::object();
  for (const auto& [name, value] : grown.items()) {
    if (!old.contains(name))
      growth[name] = value;
    else if (old[name] != value)
      growth[name] = more_of(old[name], value);
  }
  if (dossier_grown(before, growth.dump()) != grown.dump() + "\n") throw Error(ErrorCode::damaged, "the dossier did not only grow");
  return growth.dump();
}

std::string dossier_grown(std::string_view before, std::string_view growth) {
  Canonical whole = members(before);
  const Canonical more = members(growth);
  for (const auto& [name, value] : more.items())
    whole[name] = whole.contains(name) ? list_of(std::move(whole[name]), value) : value;
  return whole.dump() + "\n";
}

}  // namespace qcbak::evidence
