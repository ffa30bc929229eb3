#include "tests/simulated/simulated_storage.h"

#include <algorithm>
#include <cerrno>
#include <random>

#include "base/error.h"

namespace qcbak::simulated {
namespace {

using storage::PutResult;

constexpr std::size_t kPageBytes = 4096;

std::string_view folder_of(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  return slash == std::string_view::npos ? "" : name.substr(0, slash);
}

// What may be left of bytes that were never flushed.
Bytes torn(const Bytes& bytes, std::mt19937_64& random) {
  Bytes left = bytes;
  const auto page = [&] { return bytes.empty() ? 0 : random() % bytes.size() / kPageBytes * kPageBytes; };
  switch (random() % 4) {
    case 0:  // all of it
      break;
    case 1:  // a beginning
      left.resize(random() % (bytes.size() + 1));
      break;
    case 2: {  // a page never written
      const std::size_t from = page();
      std::fill_n(left.begin() + static_cast<std::ptrdiff_t>(from), std::min(kPageBytes, left.size() - from),
                  std::byte{0});
      break;
    }
    default:  // the size, and nothing from some page on
      std::fill(left.begin() + static_cast<std::ptrdiff_t>(page()), left.end(), std::byte{0});
  }
  return left;
}

[[noreturn]] void fail(std::string_view name) { throw_errno("simulated failure at", name, EIO); }

}  // namespace

std::uint64_t Medium::State::used_bytes() const {
  std::uint64_t sum = content.leftover_bytes + unfinished_bytes;
  for (const auto& [name, object] : content.visible) sum += object.bytes->size();
  return sum;
}

std::uint64_t Medium::State::free_bytes() const {
  return capacity_bytes == kUnlimited ? kUnlimited : capacity_bytes - std::min(capacity_bytes, used_bytes());
}

const Medium::Object& Medium::State::find(std::string_view name) const {
  const auto found = content.visible.find(name);
  check(found != content.visible.end(), "the test names an object that is on the medium");
  return found->second;
}

void Medium::State::set(std::string_view name, const Object* becomes) {
  if (becomes)
    content.visible.insert_or_assign(std::string(name), *becomes);
  else
    content.visible.erase(std::string(name));
  content.pending.push_back({std::string(name), becomes ? std::make_shared<const Object>(*becomes) : nullptr});
}

void Medium::State::set_now(std::string_view name, const Object* becomes) {
  set(name, becomes);
  if (becomes)
    content.durable.insert_or_assign(std::string(name), *becomes);
  else
    content.durable.erase(std::string(name));
  std::erase_if(content.pending, [&](const Change& change) { return change.name == name; });
}

void Medium::State::flush_folder_of(std::string_view name) {
  const std::vector<Change> pending = std::move(content.pending);
  content.pending.clear();
  for (const Change& change : pending) {
    if (folder_of(change.name) != folder_of(name))
      content.pending.push_back(change);
    else if (change.becomes)
      content.durable.insert_or_assign(change.name, *change.becomes);
    else
      content.durable.erase(change.name);
  }
}

void Medium::State::flush_everything() {
  content.durable = content.visible;
  content.pending.clear();
}

void Medium::power_loss(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  auto state = state_.lock();
  Content& content = state->content;
  // Chosen for all first: with many changes, each on its own would almost never give the extremes.
  enum : std::uint64_t { kNone, kAll, kSome };
  const std::uint64_t surviving = random() % 3;
  for (const Change& change : content.pending) {
    if (surviving == kNone || (surviving == kSome && random() % 2 == 0)) continue;
    if (change.becomes)
      content.durable.insert_or_assign(change.name, *change.becomes);
    else
      content.durable.erase(change.name);
  }
  for (auto& [name, object] : content.durable)
    if (!object.flushed) object = {std::make_shared<const Bytes>(torn(*object.bytes, random)), true};
  content.pending.clear();
  content.visible = content.durable;
  if (random() % 2 == 0) content.leftover_bytes = 0;
  state->unfinished_bytes = 0;
  state->lock = 0;
  ++state->power_losses;
}

void Medium::set_capacity(std::uint64_t bytes) { state_.lock()->capacity_bytes = bytes; }
void Medium::ignore_data_flushes() { state_.lock()->ignores_data_flushes = true; }

void Medium::flip_bit(std::string_view name, std::uint64_t bit) {
  auto state = state_.lock();
  Bytes bytes = *state->find(name).bytes;
  check(bit / 8 < bytes.size(), "the test names a bit of the object");
  bytes[bit / 8] ^= std::byte{1} << (bit % 8);
  const Object object{std::make_shared<const Bytes>(std::move(bytes))};
  state->set_now(name, &object);
}

void Medium::truncate(std::string_view name, std::uint64_t size_bytes) {
  auto state = state_.lock();
  Bytes bytes = *state->find(name).bytes;
  check(size_bytes <= bytes.size(), "truncation makes the object shorter");
  bytes.resize(size_bytes);
  const Object object{std::make_shared<const Bytes>(std::move(bytes))};
  state->set_now(name, &object);
}

void Medium::lose(std::string_view name) {
  auto state = state_.lock();
  state->find(name);
  state->set_now(name, nullptr);
}

void Medium::swap(std::string_view one, std::string_view other) {
  auto state = state_.lock();
  const Object first = state->find(one);
  const Object second = state->find(other);
  state->set_now(one, &second);
  state->set_now(other, &first);
}

void Medium::plant(std::string_view name, ByteView bytes) {
  const Object object{std::make_shared<const Bytes>(to_bytes(bytes))};
  state_.lock()->set_now(name, &object);
}

std::unique_ptr<Medium> Medium::copy() const {
  auto result = std::make_unique<Medium>();
  auto from = state_.lock();
  auto to = result->state_.lock();
  to->content = from->content;
  to->content.leftover_bytes += from->unfinished_bytes;
  to->capacity_bytes = from->capacity_bytes;
  to->ignores_data_flushes = from->ignores_data_flushes;
  return result;
}

void Medium::restore(const Medium& earlier) {
  Content content = earlier.state_.lock()->content;
  state_.lock()->content = std::move(content);
}

std::uint64_t Medium::used_bytes() const { return state_.lock()->used_bytes(); }
std::uint64_t Medium::leftover_bytes() const { return state_.lock()->content.leftover_bytes; }

class SimulatedStorage::Lock final : public WriterLock {
 public:
  Lock(Medium& medium, std::uint64_t number) : medium_(medium), number_(number) {}
  ~Lock() override {
    auto state = medium_.state_.lock();
    if (state->lock == number_) state->lock = 0;
  }

 private:
  Medium& medium_;
  std::uint64_t number_;
};

SimulatedStorage::SimulatedStorage(Medium& medium) : medium_(medium) {
  auto state = medium.state_.lock();
  id_ = ++state->handles_opened;
  power_losses_ = state->power_losses;
}

void SimulatedStorage::lose_power_at_step(std::uint64_t nth) {
  auto script = script_.lock();
  script->dies_at_step = script->counters.steps + nth;
}

void SimulatedStorage::fail_mutation(std::uint64_t nth, Failure failure) {
  auto script = script_.lock();
  script->failing_mutations[script->counters.mutations + nth] = failure;
}

void SimulatedStorage::fail_read(std::uint64_t nth) {
  auto script = script_.lock();
  script->failing_reads[script->counters.reads + nth] = true;
}

Guarded<Medium::State>::Access SimulatedStorage::enter() const {
  auto state = medium_.state_.lock();
  if (state->power_losses != power_losses_) throw PowerLost();
  return state;
}

void SimulatedStorage::count_read(std::string_view name) const {
  auto script = script_.lock();
  if (script->dead) throw PowerLost();
  if (script->failing_reads.contains(++script->counters.reads)) fail(name);
}

void SimulatedStorage::step() {
  {
    auto script = script_.lock();
    if (!script->dead && ++script->counters.steps != script->dies_at_step) return;
    script->dead = true;
  }
  auto state = medium_.state_.lock();
  if (state->lock_handle == id_) state->lock = 0;
  throw PowerLost();
}

template <class Body>
auto SimulatedStorage::mutate(Call call, std::string_view name, Body&& body) {
  if (hook_) hook_(call, name);
  std::optional<Failure> failure;
  {
    auto script = script_.lock();
    if (script->dead) throw PowerLost();
    const auto found = script->failing_mutations.find(++script->counters.mutations);
    if (found != script->failing_mutations.end()) failure = found->second;
    if (failure == Failure::before || script->in_doubt) fail(name);
  }
  auto result = body(failure == Failure::flush);
  if (failure) fail(name);
  step();
  return result;
}

// write → flush → place, as a file that has no final name until the last.
template <class Place>
auto SimulatedStorage::through_temporary(std::string_view name, ByteView bytes, Place&& place) {
  bool written = false;
  try {
    step();
    {
      auto state = enter();
      if (state->free_bytes() < bytes.size()) throw_errno("write", name, ENOSPC);
      state->unfinished_bytes += bytes.size();
      written = true;
    }
    step();
    Medium::Object object{std::make_shared<const Bytes>(to_bytes(bytes)), true};
    step();
    auto state = enter();
    object.flushed = !state->ignores_data_flushes;
    state->unfinished_bytes -= bytes.size();
    script_.lock()->counters.bytes_written += bytes.size();
    return place(*state, object);
  } catch (const PowerLost&) {
    auto state = medium_.state_.lock();
    if (state->power_losses == power_losses_) {
      if (written) state->unfinished_bytes -= bytes.size();
      // Power that goes within the write leaves half of it.
      state->content.leftover_bytes += written ? bytes.size() : std::min(bytes.size() / 2, state->free_bytes());
    }
    throw;
  }
}

void SimulatedStorage::flush_folder_of(std::string_view name, bool fails) {
  step();
  if (!fails) {
    enter()->flush_folder_of(name);
    return;
  }
  script_.lock()->in_doubt = true;
  fail(name);
}

std::shared_ptr<const Bytes> SimulatedStorage::read(std::string_view name) const {
  storage::check_object_name(name);
  count_read(name);
  auto state = enter();
  const auto found = state->content.visible.find(name);
  return found == state->content.visible.end() ? nullptr : found->second.bytes;
}

std::optional<Bytes> SimulatedStorage::get(std::string_view name, std::uint64_t limit_bytes) const {
  const std::shared_ptr<const Bytes> bytes = read(name);
  if (!bytes) return std::nullopt;
  if (bytes->size() > limit_bytes)
    throw Error(ErrorCode::damaged,
                std::string(name) + " has more than the " + std::to_string(limit_bytes) + " bytes it may have");
  script_.lock()->counters.bytes_read += bytes->size();
  return *bytes;
}

std::optional<std::size_t> SimulatedStorage::get_range(std::string_view name, std::uint64_t offset,
                                                       MutableByteView into) const {
  const std::shared_ptr<const Bytes> bytes = read(name);
  if (!bytes) return std::nullopt;
  if (offset >= bytes->size()) return 0;
  const std::size_t size_bytes = std::min(into.size(), bytes->size() - offset);
  std::copy_n(bytes->begin() + static_cast<std::ptrdiff_t>(offset), size_bytes, into.begin());
  script_.lock()->counters.bytes_read += size_bytes;
  return size_bytes;
}

std::optional<std::uint64_t> SimulatedStorage::size(std::string_view name) const {
  const std::shared_ptr<const Bytes> bytes = read(name);
  if (!bytes) return std::nullopt;
  return bytes->size();
}

std::vector<storage::ObjectInfo> SimulatedStorage::list(std::string_view prefix) const {
  storage::check_object_prefix(prefix);
  count_read(prefix);
  auto state = enter();
  std::vector<storage::ObjectInfo> found;
  const Medium::Objects& objects = state->content.visible;
  for (auto at = objects.lower_bound(prefix); at != objects.end() && at->first.starts_with(prefix); ++at)
    found.push_back({at->first, at->second.bytes->size()});
  return found;
}

PutResult SimulatedStorage::put(std::string_view name, ByteView bytes) {
  storage::check_object_name(name);
  return mutate(Call::put, name, [&](bool flush_fails) {
    PutResult result = PutResult::exists;
    if (!enter()->content.visible.contains(name))
      result = through_temporary(name, bytes, [&](Medium::State& state, const Medium::Object& object) {
        if (state.content.visible.contains(name)) return PutResult::exists;
        state.set(name, &object);
        return PutResult::stored;
      });
    flush_folder_of(name, flush_fails);
    return result;
  });
}

void SimulatedStorage::replace(std::string_view name, ByteView bytes) {
  storage::check_object_name(name);
  mutate(Call::replace, name, [&](bool flush_fails) {
    through_temporary(name, bytes, [&](Medium::State& state, const Medium::Object& object) {
      state.set(name, &object);
      return true;
    });
    flush_folder_of(name, flush_fails);
    return true;
  });
}

void SimulatedStorage::remove(std::string_view name) {
  storage::check_object_name(name);
  mutate(Call::remove, name, [&](bool flush_fails) {
    step();
    {
      auto state = enter();
      if (state->content.visible.contains(name)) state->set(name, nullptr);
    }
    flush_folder_of(name, flush_fails);
    return true;
  });
}

void SimulatedStorage::remove_leftovers() {
  mutate(Call::remove_leftovers, "", [&](bool flush_fails) {
    step();
    enter()->content.leftover_bytes = 0;
    step();
    if (flush_fails) {
      script_.lock()->in_doubt = true;
      fail("tmp");
    }
    enter()->flush_everything();
    return true;
  });
}

std::unique_ptr<storage::Storage::WriterLock> SimulatedStorage::try_lock() {
  return mutate(Call::try_lock, "", [&](bool) -> std::unique_ptr<WriterLock> {
    auto state = enter();
    if (state->lock != 0) return nullptr;
    state->lock = ++state->locks_given;
    state->lock_handle = id_;
    return std::make_unique<Lock>(medium_, state->lock);
  });
}

std::optional<std::uint64_t> SimulatedStorage::free_bytes() const {
  count_read("");
  auto state = enter();
  if (state->capacity_bytes == Medium::kUnlimited) return std::nullopt;
  return state->free_bytes();
}

}  // namespace qcbak::simulated
