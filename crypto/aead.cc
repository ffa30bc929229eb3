#include "crypto/aead.h"

#include <openssl/evp.h>
#include <sodium.h>

#include <climits>
#include <functional>

#include "base/error.h"
#include "crypto/raw.h"

namespace qcbak::crypto {
namespace {

constexpr std::size_t kGcmNonceSize = 12;
constexpr std::size_t kXchachaNonceSize = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
static_assert(kTagSize == crypto_aead_xchacha20poly1305_ietf_ABYTES);
static_assert(AeadKey::kSize == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);

// OpenSSL counts the bytes of a call in an int.
constexpr std::size_t kMessageSizeLimit = INT_MAX;

template <std::size_t Size>
std::array<unsigned char, Size> nonce_from(std::uint64_t number) {
  std::array<unsigned char, Size> nonce{};
  for (std::size_t i = 0; i < 8; ++i) nonce[Size - 1 - i] = static_cast<unsigned char>(number >> (8 * i));
  return nonce;
}

const EVP_CIPHER* aes_256_gcm() {
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  check(cipher != nullptr, "OpenSSL has AES-256-GCM");
  return cipher;
}

struct ContextDeleter {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }  // wipes the key schedule
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, ContextDeleter>;

Context keyed_gcm_context(ByteView key) {
  Context context(EVP_CIPHER_CTX_new());
  if (!context) throw std::bad_alloc();
  check(EVP_EncryptInit_ex2(context.get(), aes_256_gcm(), raw(key.data()), nullptr, nullptr) == 1,
        "AES-256-GCM takes its key");
  return context;
}

// The output may stand apart from the input or begin with it; half over it, a cipher would read what it has written.
void check_placement(ByteView in, ByteView out) {
  const std::less_equal<const std::byte*> before;
  check(in.empty() || out.empty() || in.data() == out.data() || before(in.data() + in.size(), out.data()) ||
            before(out.data() + out.size(), in.data()),
        "the output does not overlap the input, or starts where it starts");
}

}  // namespace

std::string_view suite_name(Suite suite) { return suite == Suite::aes_256_gcm ? "aes-256-gcm" : "xchacha20-poly1305"; }

std::optional<Suite> suite_from_name(std::string_view name) {
  for (Suite suite : {Suite::aes_256_gcm, Suite::xchacha20_poly1305})
    if (name == suite_name(suite)) return suite;
  return std::nullopt;
}

std::optional<Suite> suite_from_number(std::uint64_t number) {
  for (Suite suite : {Suite::aes_256_gcm, Suite::xchacha20_poly1305})
    if (number == static_cast<std::uint64_t>(suite)) return suite;
  return std::nullopt;
}

Suite preferred_suite() {
  initialize();
  const bool fast = sodium_runtime_has_aesni() == 1 && sodium_runtime_has_pclmul() == 1;
  return fast ? Suite::aes_256_gcm : Suite::xchacha20_poly1305;
}

struct Aead::State {
  State(Suite with_suite, const AeadKey& from) : suite(with_suite), key(from.copy()) {
    if (suite == Suite::aes_256_gcm) gcm = keyed_gcm_context(key.view());
  }

  // Sets the message's nonce and direction; the key stays. Takes the associated data.
  void begin_gcm(std::uint64_t number, int encrypt, ByteView associated) {
    const auto nonce = nonce_from<kGcmNonceSize>(number);
    check(EVP_CipherInit_ex2(gcm.get(), nullptr, nullptr, nonce.data(), encrypt, nullptr) == 1,
          "AES-256-GCM takes its nonce");
    if (!associated.empty()) update_gcm(associated, nullptr);
  }
  void update_gcm(ByteView in, unsigned char* out) {
    int done = 0;
    check(EVP_CipherUpdate(gcm.get(), out, &done, raw(in.data()), static_cast<int>(in.size())) == 1 &&
              static_cast<std::size_t>(done) == in.size(),
          "AES-256-GCM takes all bytes at once");
  }

  void seal_gcm(std::uint64_t number, ByteView associated, ByteView plaintext, MutableByteView out) {
    begin_gcm(number, 1, associated);
    if (!plaintext.empty()) update_gcm(plaintext, raw(out.data()));
    int none = 0;
    unsigned char* const tag = raw(out.last(kTagSize).data());
    check(EVP_CipherFinal_ex(gcm.get(), tag, &none) == 1 && none == 0, "AES-256-GCM finishes");
    check(EVP_CIPHER_CTX_ctrl(gcm.get(), EVP_CTRL_AEAD_GET_TAG, kTagSize, tag) == 1, "AES-256-GCM gives its tag");
  }
  bool open_gcm(std::uint64_t number, ByteView associated, ByteView text, ByteView tag, MutableByteView out) {
    std::array<unsigned char, kTagSize> expected;
    std::memcpy(expected.data(), tag.data(), kTagSize);
    begin_gcm(number, 0, associated);
    if (!text.empty()) update_gcm(text, raw(out.data()));
    check(EVP_CIPHER_CTX_ctrl(gcm.get(), EVP_CTRL_AEAD_SET_TAG, kTagSize, expected.data()) == 1,
          "AES-256-GCM takes the tag to compare");
    int none = 0;
    unsigned char unused[EVP_MAX_BLOCK_LENGTH];
    return EVP_CipherFinal_ex(gcm.get(), unused, &none) == 1;
  }

  void seal_xchacha(std::uint64_t number, ByteView associated, ByteView plaintext, MutableByteView out) const {
    const auto nonce = nonce_from<kXchachaNonceSize>(number);
    unsigned long long tag_size = 0;
    check(crypto_aead_xchacha20poly1305_ietf_encrypt_detached(
              raw(out.data()), raw(out.last(kTagSize).data()), &tag_size, raw(plaintext.data()), plaintext.size(),
              raw(associated.data()), associated.size(), nullptr, nonce.data(), raw(key.view().data())) == 0 &&
              tag_size == kTagSize,
          "XChaCha20-Poly1305 seals");
  }
  bool open_xchacha(std::uint64_t number, ByteView associated, ByteView text, ByteView tag, MutableByteView out) const {
    const auto nonce = nonce_from<kXchachaNonceSize>(number);
    return crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
               raw(out.data()), nullptr, raw(text.data()), text.size(), raw(tag.data()), raw(associated.data()),
               associated.size(), nonce.data(), raw(key.view().data())) == 0;
  }

  Suite suite;
  AeadKey key;
  Context gcm;  // only with Suite::aes_256_gcm
};

Aead::Aead(Suite suite, const AeadKey& key) : state_(std::make_unique<State>(suite, key)) {}
Aead::Aead(Aead&&) noexcept = default;
Aead& Aead::operator=(Aead&&) noexcept = default;
Aead::~Aead() = default;

Aead Aead::copy_for_thread() const { return Aead(state_->suite, state_->key); }

void Aead::seal(std::uint64_t number, ByteView associated, ByteView plaintext, MutableByteView out) {
  check(plaintext.size() <= kMessageSizeLimit && associated.size() <= kMessageSizeLimit, "a message fits one call");
  check(out.size() == plaintext.size() + kTagSize, "the output of seal() has room for text and tag");
  check_placement(plaintext, out);
  if (state_->suite == Suite::aes_256_gcm)
    state_->seal_gcm(number, associated, plaintext, out);
  else
    state_->seal_xchacha(number, associated, plaintext, out);
}

bool Aead::open(std::uint64_t number, ByteView associated, ByteView ciphertext, MutableByteView out) {
  if (ciphertext.size() < kTagSize) {
    wipe(out);
    return false;
  }
  const ByteView text = ciphertext.first(ciphertext.size() - kTagSize);
  const ByteView tag = ciphertext.last(kTagSize);
  check(text.size() <= kMessageSizeLimit && associated.size() <= kMessageSizeLimit, "a message fits one call");
  check(out.size() == text.size(), "the output of open() has room for the text");
  check_placement(ciphertext, out);
  const bool genuine = state_->suite == Suite::aes_256_gcm ? state_->open_gcm(number, associated, text, tag, out)
                                                           : state_->open_xchacha(number, associated, text, tag, out);
  if (!genuine) wipe(out);
  return genuine;
}

}  // namespace qcbak::crypto
