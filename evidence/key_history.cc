#include "evidence/key_history.h"

#include <algorithm>
#include <set>

namespace qcbak::evidence {
namespace {

using namespace repository;

// Keeps what `wants` asks for, and the slots of those who issued it, from the last to the first: who issues comes before.
template <class Wants>
std::vector<PastKeyObject> with_issuers(std::vector<PastKeyObject> history, Wants wants) {
  std::set<std::pair<DomainId, crypto::SignPublic>> roots, issuers;
  for (const PastKeyObject& past : history)
    if (const auto* domain = std::get_if<DomainObject>(&past.object.content))
      roots.emplace(past.object.domain, domain->root);
  std::vector<PastKeyObject> kept;
  for (auto at = history.rbegin(); at != history.rend(); ++at) {
    const auto* slot = std::get_if<SlotObject>(&at->object.content);
    const bool issues = slot != nullptr && issuers.contains({at->object.domain, slot->sign});
    if (!issues && !wants(at->object)) continue;
    // The root issues in its own right.
    if (const std::pair issuer{at->object.domain, at->object.issuer}; !roots.contains(issuer)) issuers.insert(issuer);
    kept.push_back(std::move(*at));
  }
  std::reverse(kept.begin(), kept.end());
  return kept;
}

}  // namespace

std::vector<PastKeyObject> key_history(const Repository& repository) {
  std::vector<PastKeyObject> history;
  repository.for_each_log_entry([&](const LogEntry& entry, const crypto::Sha256&) {
    const auto* event = std::get_if<KeyEvent>(&entry.event);
    if (event == nullptr) return;
    const auto first = static_cast<std::ptrdiff_t>(history.size());
    for (const ObjectName& name : event->added)
      if (auto stored = load_key_object(repository.storage(), repository.options().keys_directory, name)) {
        KeyObject object = parse_key_object(repository.config_hash(), *stored);
        history.push_back({name, std::move(*stored), std::move(object), entry.number});
      }
    std::stable_sort(history.begin() + first, history.end(), [](const PastKeyObject& a, const PastKeyObject& b) {
      return a.object.content.index() < b.object.content.index();
    });
  });
  return history;
}

std::vector<PastKeyObject> key_objects_to_export(std::vector<PastKeyObject> history) {
  return with_issuers(std::move(history), [](const KeyObject& object) {
    return !std::holds_alternative<SlotObject>(object.content) && !std::holds_alternative<GrantObject>(object.content);
  });
}

std::vector<PastKeyObject> key_objects_of_signer(std::vector<PastKeyObject> history, const DomainId& domain,
                                                 const crypto::SignPublic& signer) {
  return with_issuers(std::move(history), [&](const KeyObject& object) {
    if (object.domain != domain) return false;
    const auto* writer = std::get_if<WriterObject>(&object.content);
    return std::holds_alternative<DomainObject>(object.content) || (writer != nullptr && writer->sign == signer);
  });
}

}  // namespace qcbak::evidence
