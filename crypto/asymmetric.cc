#include "crypto/asymmetric.h"

#include <sodium.h>

#include "base/error.h"
#include "crypto/raw.h"

namespace qcbak::crypto {
namespace {

static_assert(kBoxOverhead == crypto_box_SEALBYTES);
static_assert(BoxPublic::kSize == crypto_box_PUBLICKEYBYTES && BoxSecret::kSize == crypto_box_SECRETKEYBYTES);
static_assert(SignPublic::kSize == crypto_sign_PUBLICKEYBYTES && SignSeed::kSize == crypto_sign_SEEDBYTES);
static_assert(Signature::kSize == crypto_sign_BYTES);

struct SignPair {
  SignPublic public_key;
  SecretBytes secret_key{crypto_sign_SECRETKEYBYTES};
};

SignPair sign_pair(const SignSeed& seed) {
  SignPair pair;
  check(crypto_sign_seed_keypair(raw(pair.public_key.value.data()), raw(pair.secret_key.mutable_view().data()),
                                 raw(seed.view().data())) == 0,
        "Ed25519 makes a pair from a seed");
  return pair;
}

}  // namespace

BoxPublic box_public(const BoxSecret& secret) {
  BoxPublic result;
  check(crypto_scalarmult_base(raw(result.value.data()), raw(secret.view().data())) == 0, "X25519 makes a public key");
  return result;
}

Bytes box_seal(const BoxPublic& to, ByteView plaintext) {
  initialize();
  Bytes sealed(plaintext.size() + kBoxOverhead);
  if (crypto_box_seal(raw(sealed.data()), raw(plaintext.data()), plaintext.size(), raw(to.view().data())) != 0)
    throw Error(ErrorCode::damaged, "a public key of an X25519 pair is not a usable one");
  return sealed;
}

std::optional<SecretBytes> box_open(const BoxPublic& to, const BoxSecret& secret, ByteView sealed) {
  if (sealed.size() < kBoxOverhead) return std::nullopt;
  SecretBytes plaintext(sealed.size() - kBoxOverhead);
  if (crypto_box_seal_open(raw(plaintext.mutable_view().data()), raw(sealed.data()), sealed.size(),
                           raw(to.view().data()), raw(secret.view().data())) != 0)
    return std::nullopt;
  return plaintext;
}

SignPublic sign_public(const SignSeed& seed) { return sign_pair(seed).public_key; }

Signature sign(const SignSeed& seed, ByteView message) {
  const SignPair pair = sign_pair(seed);
  Signature signature;
  check(crypto_sign_detached(raw(signature.value.data()), nullptr, raw(message.data()), message.size(),
                             raw(pair.secret_key.view().data())) == 0,
        "Ed25519 signs");
  return signature;
}

bool verify(const SignPublic& signer, ByteView message, const Signature& signature) {
  initialize();
  return crypto_sign_verify_detached(raw(signature.view().data()), raw(message.data()), message.size(),
                                     raw(signer.view().data())) == 0;
}

}  // namespace qcbak::crypto
