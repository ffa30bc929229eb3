// Named immutable objects on a medium. Names are relative paths of lower-case letters, digits, '-', '.' and '/'
// ("packs/ab/abcd…", "log/000000000001"); a name is never also a folder of others. An object appears whole and
// durable, or not at all.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace qcbak::storage {

struct ObjectInfo {
  std::string name;
  std::uint64_t size_bytes = 0;
};

enum class PutResult { stored, exists };

inline constexpr std::size_t kNameLimit = 255;  // bytes
// Whether `name` can name an object: see above; moreover no folder is empty or starts with '.', and "lock" and "tmp"
// with what is in it belong to the medium.
bool is_object_name(std::string_view name);
// Throw Error(usage) unless `name` can name an object, or start the name of one. Every function below that takes a
// name calls them.
void check_object_name(std::string_view name);
void check_object_prefix(std::string_view prefix);

// What a check may do: nothing here changes the medium.
class ReadStorage {
 public:
  virtual ~ReadStorage() = default;

  // The whole object, or nothing when there is none of that name. Throws Error(damaged) above limit_bytes.
  virtual std::optional<Bytes> get(std::string_view name, std::uint64_t limit_bytes) const = 0;
  // Fills `into` with the bytes from `offset` on; fewer are returned at the end of the object. Nothing: no such object.
  virtual std::optional<std::size_t> get_range(std::string_view name, std::uint64_t offset,
                                               MutableByteView into) const = 0;
  virtual std::optional<std::uint64_t> size(std::string_view name) const = 0;
  // Every object whose name starts with `prefix` (a folder with its '/'), in ascending order of names.
  // Unfinished uploads are not listed.
  virtual std::vector<ObjectInfo> list(std::string_view prefix) const = 0;
  // Words for messages: the directory, the URL.
  virtual std::string description() const = 0;
};

// All functions may be called from several threads at once. All throw Error(io, no_space, …).
class Storage : public ReadStorage {
 public:
  // Puts an object if none of that name is there; the test is atomic across processes. When it returns, the object is
  // durable, with its name (bytes and directories fsynced), also one that somebody else had put. `exists` leaves what
  // is there untouched: it says nothing of whether the bytes are the same.
  // After a flush that failed, this and every other call that changes the medium throws: the system reports a lost
  // write once, so what a later flush says proves nothing.
  virtual PutResult put(std::string_view name, ByteView bytes) = 0;
  // Replaces or creates, atomically and durably: only to heal an object whose bytes no longer hash to its name.
  virtual void replace(std::string_view name, ByteView bytes) = 0;
  // Durable when it returns; removing what is not there is no error.
  virtual void remove(std::string_view name) = 0;
  // Removes leftovers of unfinished puts of processes that are gone, and makes durable what they had put or removed
  // when they died before the flush: from here on every object that can be seen survives a power cut. Called with the
  // writer's lock held, before anything is decided from what is there.
  virtual void remove_leftovers() = 0;

  // Exclusive right to write, across processes, until the returned object goes (or its process dies: nothing to
  // unlock). Nothing when somebody else has it.
  class WriterLock {
   public:
    virtual ~WriterLock() = default;
    // An open file that holds it: while a copy of that is open anywhere, also in another process, the lock stays, unless
    // this object is destroyed. -1: there is none, and only this process has it.
    virtual int descriptor() const { return -1; }
  };
  virtual std::unique_ptr<WriterLock> try_lock() = 0;
  // Bytes that can still be written, where the medium knows.
  virtual std::optional<std::uint64_t> free_bytes() const = 0;
};

}  // namespace qcbak::storage
