#include "backup/repository/custodians.h"

#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/unique_fd.h"

namespace qcbak::repository {
namespace {

constexpr std::size_t kShortestPrefix = 8;

const KeySet& keys(const WriteContext& context) { return context.repository.log().keys; }

void require_custodian(const WriteContext& context) {
  const crypto::SignPublic signer = crypto::sign_public(context.domain.signer);
  std::optional<ObjectName> own_slot;
  for (const auto& [name, slot] : keys(context).all<SlotObject>(context.domain.id))
    if (slot->sign == signer) own_slot = name;
  if (!own_slot || !context.domain.can_read())
    throw Error(ErrorCode::refused, "only a custodian can change who opens domain \"" + context.domain.name + "\"")
        .with_hint("use a custodian's password instead of a credential");
  // What a custodian issues is proven by the slot: everybody who opens the repository must have it.
  if (signer != context.domain.root && !context.storage.size(key_path(*own_slot)))
    throw Error(ErrorCode::refused,
                "this custodian's slot lies apart from the repository: nobody could check what it issues")
        .with_hint("let the first custodian of domain \"" + context.domain.name + "\" do it");
}

// A writer object for a custodian's own key, put beside its slot: with it the log entries that the custodian signs are
// proven to those who do not have the slot.
bool is_companion(const WriteContext& context, const WriterObject& writer) {
  for (const auto& [name, slot] : keys(context).all<SlotObject>(context.domain.id))
    if (slot->sign == writer.sign) return true;
  return false;
}

// Whether log entries or other key objects are proven by nothing but this slot. They are checked from the first to the
// last whenever the repository is opened, so it must stay then, though it counts no more.
bool proves_others(const WriteContext& context, const SlotObject& slot) {
  if (slot.sign == context.domain.root) return false;  // the domain object proves them
  bool has_companion = false;
  for (const storage::ObjectInfo& info : context.storage.list("keys/")) {
    const auto stored = context.storage.get(info.name, kKeyObjectLimit);
    if (!stored) continue;
    try {
      const KeyObject object = parse_key_object(context.repository.config_hash(), *stored);
      const bool a_writer_may_issue =
          std::holds_alternative<EpochObject>(object.content) || std::holds_alternative<GrantObject>(object.content);
      if (object.issuer == slot.sign && !a_writer_may_issue) return true;
      const auto* writer = std::get_if<WriterObject>(&object.content);
      has_companion |= writer != nullptr && writer->sign == slot.sign;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::damaged) throw;
      return true;  // nobody knows who issued it
    }
  }
  return !has_companion;
}

ObjectName put_key_object(const WriteContext& context, const KeyContent& content) {
  const Bytes stored =
      encode_key_object(context.repository.config_hash(), context.domain.id, content, context.domain.signer);
  const ObjectName name = name_of(stored);
  const std::string& apart = context.repository.options().keys_directory;
  if (!apart.empty() && (std::holds_alternative<SlotObject>(content) || std::holds_alternative<GrantObject>(content)))
    write_file_durably(apart + "/" + name.hex(), stored);
  else
    context.storage.put(key_path(name), stored);
  return name;
}

// After the log no longer counts them. Left behind by a crash, they still count for nothing.
void erase_key_objects(const WriteContext& context, const std::vector<ObjectName>& names) {
  for (const ObjectName& name : names) {
    context.storage.remove(key_path(name));
    const std::string& apart = context.repository.options().keys_directory;
    if (!apart.empty()) ::unlink((apart + "/" + name.hex()).c_str());
  }
}

void log_key_event(const WriteContext& context, const KeyEvent& event) {
  append_log(context, [&]() -> LogEvent { return event; });
}

DomainKeys copy_for(const DomainKeys& domain, crypto::SignSeed signer, CredentialKind kind) {
  DomainKeys copy(domain.id, std::move(signer));
  copy.name = domain.name;
  copy.root = domain.root;
  for (const EpochKeys& epoch : domain.epochs) {
    EpochKeys keys;
    keys.number = epoch.number;
    keys.map_key = epoch.map_key.copy();
    keys.id_key = epoch.id_key.copy();
    keys.box = epoch.box;
    if (kind == CredentialKind::read) keys.secret = epoch.secret->copy();
    copy.epochs.push_back(std::move(keys));
  }
  return copy;
}

}  // namespace

ObjectName add_custodian(const WriteContext& context, const std::string& name, ByteView password) {
  require_custodian(context);
  for (const auto& [object, slot] : keys(context).all<SlotObject>(context.domain.id))
    if (slot->name == name)
      throw Error(ErrorCode::failed, "there is already a custodian named \"" + printable(name) + "\" in domain \"" +
                                         context.domain.name + "\"")
          .with_hint("choose another --name");
  const Binding binding = context.repository.binding(context.domain.id);
  const CustodianSeed seed = CustodianSeed::random(context.random);
  const CustodianKeys own(seed);
  SlotObject slot;
  slot.custodian = context.random.id<CustodianId>();
  slot.name = name;
  slot.created = context.clock.now();
  slot.box = crypto::box_public(own.box);
  slot.sign = crypto::sign_public(own.sign);
  slot.protection = protect_with_password(binding, slot, seed, password, context.random);
  slot.root_check = root_check(binding, seed, context.domain.root);

  KeyEvent event;
  event.reason = "custodian added: " + name;
  const ObjectName slot_name = put_key_object(context, slot);
  event.added.push_back(slot_name);
  event.added.push_back(put_key_object(context, WriterObject{slot.sign, name, slot.created}));
  for (const EpochKeys& epoch : context.domain.epochs)
    event.added.push_back(put_key_object(
        context, GrantObject{epoch.number, slot.custodian, seal_grant(slot.box, context.domain.root, epoch)}));
  log_key_event(context, event);
  return slot_name;
}

ObjectName change_password(const WriteContext& context, ByteView password, ByteView new_password) {
  require_custodian(context);
  const Binding binding = context.repository.binding(context.domain.id);
  const crypto::SignPublic me = crypto::sign_public(context.domain.signer);
  for (const auto& [name, slot] : keys(context).all<SlotObject>(context.domain.id)) {
    if (slot->sign != me) continue;
    const auto seed = open_with_password(binding, *slot, password);
    if (!seed) continue;
    const ObjectName old_name = name;
    const SlotObject old = *slot;
    SlotObject renewed = old;
    renewed.created = context.clock.now();
    renewed.protection = protect_with_password(binding, renewed, *seed, new_password, context.random);
    KeyEvent event;
    event.reason = "password changed: " + renewed.name;
    const ObjectName new_name = put_key_object(context, renewed);
    event.added.push_back(new_name);
    event.removed.push_back(old_name);
    log_key_event(context, event);
    if (!proves_others(context, old)) erase_key_objects(context, event.removed);
    return new_name;
  }
  throw Error(ErrorCode::wrong_key, "the password opens no slot of domain \"" + context.domain.name + "\"");
}

RemovedKey remove_key(const WriteContext& context, const std::string& which) {
  require_custodian(context);
  const DomainId& domain = context.domain.id;
  const bool prefix =
      which.size() >= kShortestPrefix && which.find_first_not_of("0123456789abcdef") == std::string::npos;
  const auto fits = [&](const ObjectName& object, const std::string& name) {
    return name == which || (prefix && object.hex().compare(0, which.size(), which) == 0);
  };
  struct Found {
    ObjectName object;
    RemovedKey key;
    std::optional<SlotObject> slot;
  };
  std::vector<Found> found;
  const auto slots = keys(context).all<SlotObject>(domain);
  for (const auto& [object, slot] : slots)
    if (fits(object, slot->name)) found.push_back({object, {slot->name, RemovedKey::Kind::custodian}, *slot});
  for (const auto& [object, writer] : keys(context).all<WriterObject>(domain))
    if (fits(object, writer->name) && !is_companion(context, *writer))
      found.push_back({object, {writer->name, RemovedKey::Kind::writer}, {}});
  for (const auto& [object, drill] : keys(context).all<DrillObject>(domain))
    if (fits(object, drill->name)) found.push_back({object, {drill->name, RemovedKey::Kind::drill}, {}});
  if (found.empty())
    throw Error(ErrorCode::not_found,
                "no key named \"" + printable(which) + "\" in domain \"" + context.domain.name + "\"")
        .with_hint("see: qcbak key list");
  if (found.size() > 1)
    throw Error(ErrorCode::usage, "several keys fit \"" + printable(which) + "\"")
        .with_hint("name one by its id, see: qcbak key list");
  const Found& target = found.front();
  KeyEvent event;
  event.reason = "removed: " + target.key.name;
  event.removed.push_back(target.object);
  // A writer's object stays: it proves what the writer committed.
  std::vector<ObjectName> secrets;
  if (target.slot) {
    if (slots.size() == 1)
      throw Error(ErrorCode::refused, "\"" + printable(target.key.name) + "\" is the last custodian of domain \"" +
                                          context.domain.name + "\": without one nothing could ever be read again")
          .with_hint("add another first with: qcbak key add");
    for (const auto& [object, grant] : keys(context).all<GrantObject>(domain))
      if (grant->custodian == target.slot->custodian) {
        event.removed.push_back(object);
        secrets.push_back(object);
      }
    for (const auto& [object, writer] : keys(context).all<WriterObject>(domain))
      if (writer->sign == target.slot->sign) event.removed.push_back(object);
  }
  log_key_event(context, event);
  if (target.slot && !proves_others(context, *target.slot)) secrets.push_back(target.object);
  erase_key_objects(context, secrets);
  return target.key;
}

crypto::SecretBytes issue_credential(const std::vector<WriteContext>& contexts, CredentialKind kind,
                                     const std::string& name) {
  check(!contexts.empty(), "a credential is for at least one domain");
  std::vector<DomainKeys> domains;
  for (const WriteContext& context : contexts) {
    require_custodian(context);
    crypto::SignSeed signer = crypto::SignSeed::random(context.random);
    const WriterObject writer{crypto::sign_public(signer), name, context.clock.now()};
    KeyEvent event;
    event.reason = std::string(kind == CredentialKind::read ? "read" : "write") + " credential issued: " + name;
    event.added.push_back(put_key_object(context, writer));
    log_key_event(context, event);
    domains.push_back(copy_for(context.domain, std::move(signer), kind));
  }
  const Repository& repository = contexts.front().repository;
  return encode_credential(kind, repository.config_hash(), domains, repository.log().head);
}

}  // namespace qcbak::repository
