// The SHA256_* functions, deprecated since OpenSSL 3.0, are used on purpose: their state is a plain struct that can be
// saved and resumed, so that a MAC of one chunk costs its compressions alone. EVP_MAC and EVP_MD allocate and look up
// at every message, several times what hashing a short one takes. Both run the same SHA-NI code.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "crypto/hash.h"

#include <openssl/sha.h>

#include <algorithm>

#include "base/error.h"
#include "crypto/raw.h"

namespace qcbak::crypto {
namespace {

void start(SHA256_CTX& context) { check(SHA256_Init(&context) == 1, "SHA-256 starts"); }

void feed(SHA256_CTX& context, ByteView bytes) {
  check(SHA256_Update(&context, bytes.data(), bytes.size()) == 1, "SHA-256 takes bytes");
}

Sha256 digest(SHA256_CTX& context) {
  Sha256 result;
  check(SHA256_Final(raw(result.value.data()), &context) == 1, "SHA-256 finishes");
  return result;
}

void wipe_object(auto& object) { wipe(std::as_writable_bytes(std::span(&object, 1))); }

// The hash states after the block of key and padding, which is all of the key that a MAC needs (RFC 2104 §4).
class KeyedState {
 public:
  explicit KeyedState(ByteView key) : chains_(2 * kChainSize) {
    std::array<std::byte, SHA256_CBLOCK> block{};
    if (key.size() > block.size()) {
      Sha256 shortened = sha256(key);
      std::ranges::copy(shortened.value, block.begin());
      wipe_object(shortened);
    } else {
      std::ranges::copy(key, block.begin());
    }
    for (std::byte& b : block) b ^= kInnerPad;
    save(block, inner());
    for (std::byte& b : block) b ^= kInnerPad ^ kOuterPad;
    save(block, outer());
    wipe(block);
  }

  SHA256_CTX begin() const { return resume(chains_.view().first(kChainSize)); }
  Sha256 finish(SHA256_CTX& context) const {
    Sha256 inner_digest = digest(context);
    context = resume(chains_.view().last(kChainSize));
    feed(context, inner_digest.view());
    const Sha256 result = digest(context);
    wipe_object(inner_digest);
    wipe_object(context);
    return result;
  }

 private:
  static constexpr std::size_t kChainSize = sizeof(SHA256_CTX::h);
  static constexpr std::byte kInnerPad{0x36};
  static constexpr std::byte kOuterPad{0x5c};

  MutableByteView inner() { return chains_.mutable_view().first(kChainSize); }
  MutableByteView outer() { return chains_.mutable_view().last(kChainSize); }

  static void save(ByteView block, MutableByteView chain) {
    SHA256_CTX context;
    start(context);
    feed(context, block);
    std::memcpy(chain.data(), context.h, kChainSize);
    wipe_object(context);
  }
  static SHA256_CTX resume(ByteView chain) {
    SHA256_CTX context;
    start(context);
    std::memcpy(context.h, chain.data(), kChainSize);
    context.Nl = SHA256_CBLOCK * 8;  // one block, in bits, has been hashed
    return context;
  }

  SecretBytes chains_;
};

}  // namespace

Sha256 sha256(ByteView bytes) {
  SHA256_CTX context;
  start(context);
  feed(context, bytes);
  return digest(context);
}

struct Sha256Stream::State {
  State() { start(context); }
  ~State() { wipe_object(context); }
  SHA256_CTX context;
};

Sha256Stream::Sha256Stream() : state_(std::make_unique<State>()) {}
Sha256Stream::Sha256Stream(Sha256Stream&&) noexcept = default;
Sha256Stream& Sha256Stream::operator=(Sha256Stream&&) noexcept = default;
Sha256Stream::~Sha256Stream() = default;

Sha256Stream& Sha256Stream::update(ByteView bytes) {
  feed(state_->context, bytes);
  return *this;
}

Sha256 Sha256Stream::finish() {
  const Sha256 result = digest(state_->context);
  start(state_->context);
  return result;
}

struct HmacSha256::State {
  KeyedState keyed;
};

HmacSha256::HmacSha256(ByteView key) : state_(new State{KeyedState(key)}) {}
HmacSha256::HmacSha256(HmacSha256&&) noexcept = default;
HmacSha256& HmacSha256::operator=(HmacSha256&&) noexcept = default;
HmacSha256::~HmacSha256() = default;

Sha256 HmacSha256::mac(ByteView message) const { return mac(message, {}); }

Sha256 HmacSha256::mac(ByteView first, ByteView second) const {
  SHA256_CTX context = state_->keyed.begin();
  feed(context, first);
  feed(context, second);
  return state_->keyed.finish(context);
}

SecretBytes hkdf_sha256(ByteView input_key, ByteView salt, ByteView info, std::size_t size_bytes) {
  check(size_bytes <= 255 * Sha256::kSize, "HKDF gives at most 255 blocks");
  Sha256 pseudorandom_key = HmacSha256(salt).mac(input_key);
  const KeyedState expand(pseudorandom_key.view());
  wipe_object(pseudorandom_key);

  SecretBytes output(size_bytes);
  Sha256 block;
  ByteView previous;  // T(0) is empty (RFC 5869 §2.3)
  std::byte counter{0};
  for (MutableByteView rest = output.mutable_view(); !rest.empty();) {
    counter = static_cast<std::byte>(std::to_integer<unsigned>(counter) + 1);
    SHA256_CTX context = expand.begin();
    feed(context, previous);
    feed(context, info);
    feed(context, ByteView(&counter, 1));
    block = expand.finish(context);
    previous = block.view();
    const std::size_t taken = std::min(rest.size(), Sha256::kSize);
    std::memcpy(rest.data(), block.value.data(), taken);
    rest = rest.subspan(taken);
  }
  wipe_object(block);
  return output;
}

}  // namespace qcbak::crypto
