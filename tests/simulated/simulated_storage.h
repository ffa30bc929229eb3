// The simulated twin of backup/storage: a medium in memory that loses power, fills up, fails, rots and is rolled back,
// as a test tells it to. With one client thread everything is determined by what the test says.
//
//   Medium medium;
//   for (std::uint64_t step = 1;; ++step) {             // a crash at every step there is
//     SimulatedStorage process(medium);
//     process.lose_power_at_step(step);
//     try { client(process); break; } catch (const PowerLost&) { medium.power_loss(seed); }
//     …what must hold now, asked through a new SimulatedStorage…
//   }
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backup/storage/storage.h"
#include "base/guarded.h"
#include "tests/simulated/power_lost.h"

namespace qcbak::simulated {

// What several handles share. It knows what can be seen and what is durable: bytes and names that were not flushed may
// be gone after a power loss. Outlives its handles. Thread-safe.
class Medium {
 public:
  static constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};

  // All handles are dead, locks and unfinished writes are gone. Every change of a name whose folder was not flushed
  // since survives or not, and bytes that were not flushed are torn, as `seed` says.
  void power_loss(std::uint64_t seed);
  // Bytes that objects and unfinished puts may take together.
  void set_capacity(std::uint64_t bytes);
  // From now on flushing the bytes of an object does nothing, as with a disk that lies.
  void ignore_data_flushes();

  // Rot, and what somebody does who holds the medium. Durable at once. The object must be there (but for plant()).
  void flip_bit(std::string_view name, std::uint64_t bit);
  void truncate(std::string_view name, std::uint64_t size_bytes);
  void lose(std::string_view name);
  void swap(std::string_view one, std::string_view other);
  void plant(std::string_view name, ByteView bytes);

  // The same objects, names and leftovers, flushed or not; no locks. Cheap: bytes are shared.
  std::unique_ptr<Medium> copy() const;
  // Becomes what `earlier` holds, under the living handles: a replay.
  void restore(const Medium& earlier);

  std::uint64_t used_bytes() const;
  std::uint64_t leftover_bytes() const;  // of puts that died; remove_leftovers() frees them

 private:
  friend class SimulatedStorage;
  struct Object {
    std::shared_ptr<const Bytes> bytes;
    bool flushed = true;
  };
  using Objects = std::map<std::string, Object, std::less<>>;
  struct Change {  // of a name; not durable yet
    std::string name;
    std::shared_ptr<const Object> becomes;  // null: removed
  };
  struct Content {
    Objects visible;
    Objects durable;
    std::vector<Change> pending;  // in order
    std::uint64_t leftover_bytes = 0;
  };
  struct State {
    Content content;
    std::uint64_t unfinished_bytes = 0;  // of puts under way
    std::uint64_t capacity_bytes = kUnlimited;
    bool ignores_data_flushes = false;
    std::uint64_t power_losses = 0;
    std::uint64_t handles_opened = 0;
    std::uint64_t locks_given = 0;
    std::uint64_t lock = 0;  // the number of the lock that is held, 0 for none
    std::uint64_t lock_handle = 0;

    std::uint64_t used_bytes() const;
    std::uint64_t free_bytes() const;
    const Object& find(std::string_view name) const;
    void set(std::string_view name, const Object* becomes);      // visible now, durable later
    void set_now(std::string_view name, const Object* becomes);  // durable at once
    void flush_folder_of(std::string_view name);
    void flush_everything();
  };
  mutable Guarded<State> state_;
};

// One process's use of a medium.
class SimulatedStorage final : public storage::Storage {
 public:
  explicit SimulatedStorage(Medium& medium);

  enum class Call { put, replace, remove, remove_leftovers, try_lock };
  enum class Failure {
    before,  // nothing happened
    after,   // everything happened, durably, and yet an error is reported
    flush,   // the change can be seen; flushing it failed: it may be gone after the next power loss
  };
  struct Counters {
    std::uint64_t mutations = 0;  // calls that change the medium
    std::uint64_t reads = 0;      // all other calls
    std::uint64_t steps = 0;      // of mutations
    std::uint64_t bytes_written = 0;
    std::uint64_t bytes_read = 0;
  };

  // All count from now: 1 is the next. A mutation has a step before each of its effects (write, flush, link, flush the
  // folder) and one before it returns. Dying there leaves what was done until then; the rest of the thread's life, and
  // of every other thread using this handle, is PowerLost. Without Medium::power_loss() after it, it is a kill: what
  // could be seen stays.
  void lose_power_at_step(std::uint64_t nth);
  // The call throws Error(io). Several may be set.
  void fail_mutation(std::uint64_t nth, Failure failure);
  void fail_read(std::uint64_t nth);
  // Runs before every mutation, with no lock held: another actor may act, or an Error be thrown. Set before use.
  void before_mutations(std::function<void(Call, std::string_view name)> hook) { hook_ = std::move(hook); }
  Counters counters() const { return script_.lock()->counters; }

  std::optional<Bytes> get(std::string_view name, std::uint64_t limit_bytes) const override;
  std::optional<std::size_t> get_range(std::string_view name, std::uint64_t offset,
                                       MutableByteView into) const override;
  std::optional<std::uint64_t> size(std::string_view name) const override;
  std::vector<storage::ObjectInfo> list(std::string_view prefix) const override;
  std::string description() const override { return "simulated medium"; }

  storage::PutResult put(std::string_view name, ByteView bytes) override;
  void replace(std::string_view name, ByteView bytes) override;
  void remove(std::string_view name) override;
  void remove_leftovers() override;
  std::unique_ptr<WriterLock> try_lock() override;
  std::optional<std::uint64_t> free_bytes() const override;

 private:
  class Lock;
  struct Script {
    Counters counters;
    bool dead = false;
    bool in_doubt = false;           // a flush failed
    std::uint64_t dies_at_step = 0;  // 0: never
    std::map<std::uint64_t, Failure> failing_mutations;
    std::map<std::uint64_t, bool> failing_reads;
  };

  Guarded<Medium::State>::Access enter() const;  // throws PowerLost after a power loss
  std::shared_ptr<const Bytes> read(std::string_view name) const;
  void count_read(std::string_view name) const;
  void step();
  template <class Body>
  auto mutate(Call call, std::string_view name, Body&& body);
  template <class Place>
  auto through_temporary(std::string_view name, ByteView bytes, Place&& place);
  void flush_folder_of(std::string_view name, bool fails);

  Medium& medium_;
  std::uint64_t id_;
  std::uint64_t power_losses_;  // when opened
  std::function<void(Call, std::string_view)> hook_;
  mutable Guarded<Script> script_;
};

}  // namespace qcbak::simulated
