#include "crypto/password_hash.h"

#include <sodium.h>

#include "base/error.h"

namespace qcbak::crypto {
namespace {

constexpr std::size_t kMemoryBytes = 64U << 20;
constexpr unsigned long long kPasses = 4;

std::string_view text_of(ByteView password) { return password.empty() ? std::string_view("") : as_text(password); }

}  // namespace

std::string hash_password(ByteView password) {
  std::string hash(crypto_pwhash_argon2id_STRBYTES, '\0');
  const std::string_view text = text_of(password);
  if (crypto_pwhash_argon2id_str(hash.data(), text.data(), text.size(), kPasses, kMemoryBytes) != 0)
    throw Error(ErrorCode::failed, "not enough memory to hash a password: 64 MiB are needed");
  hash.resize(hash.find('\0'));
  return hash;
}

bool is_password(ByteView password, const std::string& hash) {
  const std::string_view text = text_of(password);
  return hash.size() < crypto_pwhash_argon2id_STRBYTES &&
         crypto_pwhash_argon2id_str_verify(hash.c_str(), text.data(), text.size()) == 0;
}

}  // namespace qcbak::crypto
