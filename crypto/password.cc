#include "crypto/password.h"

#include <sodium.h>

#include "base/error.h"
#include "crypto/raw.h"

namespace qcbak::crypto {
namespace {

constexpr std::uint32_t kPasses = 16;
constexpr std::uint32_t kMemoryKib = 64 << 10;

constexpr std::uint32_t kPassesLimit = 64;
constexpr std::uint32_t kMemoryKibLeast = 8 << 10;
constexpr std::uint32_t kMemoryKibLimit = 1 << 20;

}  // namespace

PasswordParameters new_password_parameters(Random& random) {
  PasswordParameters parameters;
  random.fill(parameters.salt.value);
  parameters.passes = kPasses;
  parameters.memory_kib = kMemoryKib;
  return parameters;
}

void check_password_parameters(const PasswordParameters& parameters) {
  if (parameters.passes < 1 || parameters.passes > kPassesLimit)
    throw Error(ErrorCode::damaged, "Argon2id with " + std::to_string(parameters.passes) + " passes");
  if (parameters.memory_kib < kMemoryKibLeast || parameters.memory_kib > kMemoryKibLimit)
    throw Error(ErrorCode::damaged, "Argon2id with " + std::to_string(parameters.memory_kib) + " KiB of memory");
}

AeadKey key_from_password(ByteView password, const PasswordParameters& parameters) {
  static_assert(decltype(parameters.salt)::kSize == crypto_pwhash_argon2id_SALTBYTES);
  check_password_parameters(parameters);
  check(password.size() <= crypto_pwhash_argon2id_PASSWD_MAX, "a password is shorter than 4 GiB");
  AeadKey key;
  const MutableByteView out = key.mutable_view();
  const std::string_view text = password.empty() ? std::string_view("") : as_text(password);
  if (crypto_pwhash_argon2id(raw(out.data()), out.size(), text.data(), text.size(), raw(parameters.salt.value.data()),
                             parameters.passes, std::size_t{parameters.memory_kib} << 10,
                             crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0)
    throw Error(ErrorCode::failed, "not enough memory to make a key from a password: " +
                                       std::to_string(parameters.memory_kib >> 10) + " MiB are needed");
  return key;
}

}  // namespace qcbak::crypto
