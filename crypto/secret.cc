#include "crypto/secret.h"

#include <sodium.h>
#include <sys/mman.h>

#include <new>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/guarded.h"
#include "base/unique_fd.h"

namespace qcbak::crypto {
namespace {

// Keys are small, many and short-lived; sodium_malloc spends four pages and six system calls on each. The pool gives
// them slots in locked pages instead. Its pages are kept until the process ends: a free slot is all zeros.
constexpr std::size_t kSlotSize = 64;
constexpr std::size_t kArenaSize = 64 << 10;  // a multiple of every page size Linux has
constexpr std::size_t kArenaSlots = kArenaSize / kSlotSize;

class Pool {
 public:
  std::byte* take() {
    if (free_.empty()) grow();
    std::byte* slot = free_.back();
    free_.pop_back();
    return slot;
  }
  // `slot` is wiped already. Never allocates: grow() reserved a place for every slot there is.
  void give_back(std::byte* slot) { free_.push_back(slot); }

 private:
  void grow() {
    free_.reserve(slots_ + kArenaSlots);
    // An inaccessible range on both sides, so that no overrun from elsewhere reaches a secret, nor one from here
    // leaves.
    void* reserved = mmap(nullptr, 3 * kArenaSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (reserved == MAP_FAILED) throw std::bad_alloc();
    std::byte* const arena = static_cast<std::byte*>(reserved) + kArenaSize;
    if (mprotect(arena, kArenaSize, PROT_READ | PROT_WRITE) != 0) {
      check(munmap(reserved, 3 * kArenaSize) == 0, "a mapping just made can be unmapped");
      throw std::bad_alloc();
    }
    // RLIMIT_MEMLOCK may be small and a kernel may lack MADV_DONTDUMP: a secret in plain memory is better than none.
    static_cast<void>(mlock(arena, kArenaSize));
    static_cast<void>(madvise(arena, kArenaSize, MADV_DONTDUMP));
    slots_ += kArenaSlots;
    for (std::size_t i = kArenaSlots; i-- > 0;) free_.push_back(arena + i * kSlotSize);
  }

  std::vector<std::byte*> free_;
  std::size_t slots_ = 0;
};

// Never destroyed: secrets in static objects may outlive it.
Guarded<Pool>& pool() {
  static Guarded<Pool>& the_pool = *new Guarded<Pool>;
  return the_pool;
}

std::byte* allocate_zeroed(std::size_t size) {
  if (size == 0) return nullptr;
  initialize();
  if (size <= kSlotSize) return pool().lock()->take();
  void* memory = sodium_malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  sodium_memzero(memory, size);
  return static_cast<std::byte*>(memory);
}

void release(std::byte* data, std::size_t size) {
  if (data == nullptr) return;
  if (size > kSlotSize) {
    sodium_free(data);  // wipes
    return;
  }
  sodium_memzero(data, kSlotSize);
  pool().lock()->give_back(data);
}

}  // namespace

void initialize() {
  static const bool usable = sodium_init() >= 0;
  check(usable, "libsodium can be initialized");
}

SecretBytes::SecretBytes(std::size_t size) : data_(allocate_zeroed(size)), size_(size) {}

SecretBytes::SecretBytes(ByteView copy_of) : SecretBytes(copy_of.size()) {
  if (!copy_of.empty()) std::memcpy(data_, copy_of.data(), copy_of.size());
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

// Not a swap: the secret replaced goes now, not when `other` does.
SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this == &other) return *this;
  release(data_, size_);
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

SecretBytes::~SecretBytes() { release(data_, size_); }

void require_key_size(std::size_t size) {
  if (size != 32) throw Error(ErrorCode::damaged, "a key of " + std::to_string(size) + " bytes instead of 32");
}

bool equal_in_constant_time(ByteView a, ByteView b) {
  return a.size() == b.size() && (a.empty() || sodium_memcmp(a.data(), b.data(), a.size()) == 0);
}

void wipe(MutableByteView bytes) {
  if (!bytes.empty()) sodium_memzero(bytes.data(), bytes.size());
}

SecretBytes read_secret_file(const std::string& path, std::size_t limit_bytes) {
  Bytes file = read_file(path, limit_bytes);
  SecretBytes kept((ByteView(file)));
  wipe(file);
  return kept;
}

}  // namespace qcbak::crypto
