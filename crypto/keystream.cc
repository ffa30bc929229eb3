#include "crypto/keystream.h"

#include <openssl/evp.h>

#include <algorithm>

#include "base/error.h"
#include "crypto/raw.h"

namespace qcbak::crypto {
namespace {

constexpr std::size_t kBlockSize = CounterBlock::kSize;
constexpr std::size_t kZerosSize = 16U << 10;  // what is encrypted, piece by piece, stays in the nearest cache

const EVP_CIPHER* aes_256_ctr() {
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-CTR", nullptr);
  check(cipher != nullptr, "OpenSSL has AES-256-CTR");
  return cipher;
}

// `first` + `blocks`, modulo 2^128.
CounterBlock counter_at(const CounterBlock& first, std::uint64_t blocks) {
  CounterBlock counter = first;
  for (std::size_t i = kBlockSize; blocks != 0 && i-- > 0;) {
    const std::uint64_t sum = std::to_integer<std::uint64_t>(counter.value[i]) + (blocks & 0xff);
    counter.value[i] = static_cast<std::byte>(sum);
    blocks = (blocks >> 8) + (sum >> 8);
  }
  return counter;
}

struct ContextDeleter {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }  // wipes the key schedule
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, ContextDeleter>;

Context new_context() {
  Context context(EVP_CIPHER_CTX_new());
  if (!context) throw std::bad_alloc();
  return context;
}

}  // namespace

struct Aes256CtrStream::State {
  void seek(std::uint64_t block) {
    const CounterBlock counter = counter_at(first, block);
    check(EVP_EncryptInit_ex2(context.get(), nullptr, nullptr, raw(counter.value.data()), nullptr) == 1,
          "AES-256-CTR takes its counter");
  }
  void next(MutableByteView into) {
    alignas(64) static constexpr std::array<std::byte, kZerosSize> kZeros{};
    while (!into.empty()) {
      const std::size_t size = std::min(into.size(), kZeros.size());
      int done = 0;
      check(
          EVP_EncryptUpdate(context.get(), raw(into.data()), &done, raw(kZeros.data()), static_cast<int>(size)) == 1 &&
              static_cast<std::size_t>(done) == size,
          "AES-256-CTR gives its stream");
      into = into.subspan(size);
    }
  }

  Context context;
  CounterBlock first;
};

Aes256CtrStream::Aes256CtrStream(const StreamKey& key, const CounterBlock& first)
    : state_(new State{new_context(), first}) {
  check(EVP_EncryptInit_ex2(state_->context.get(), aes_256_ctr(), raw(key.view().data()), nullptr, nullptr) == 1,
        "AES-256-CTR takes its key");
}
Aes256CtrStream::Aes256CtrStream(std::unique_ptr<State> state) : state_(std::move(state)) {}
Aes256CtrStream::Aes256CtrStream(Aes256CtrStream&&) noexcept = default;
Aes256CtrStream& Aes256CtrStream::operator=(Aes256CtrStream&&) noexcept = default;
Aes256CtrStream::~Aes256CtrStream() = default;

void Aes256CtrStream::fill(std::uint64_t position, MutableByteView into) {
  state_->seek(position / kBlockSize);
  if (const std::size_t before = position % kBlockSize; before != 0) {
    std::array<std::byte, kBlockSize> block;
    state_->next(block);
    const std::size_t taken = std::min(into.size(), kBlockSize - before);
    std::copy_n(block.begin() + static_cast<std::ptrdiff_t>(before), taken, into.begin());
    into = into.subspan(taken);
  }
  state_->next(into);
}

Aes256CtrStream Aes256CtrStream::copy_for_thread() const {
  auto copy = std::unique_ptr<State>(new State{new_context(), state_->first});
  check(EVP_CIPHER_CTX_copy(copy->context.get(), state_->context.get()) == 1, "AES-256-CTR can be copied");
  return Aes256CtrStream(std::move(copy));
}

}  // namespace qcbak::crypto
