// A person's own key for signing, and the file that holds it under a passphrase. docs/people.md "The file of a signing key".
#pragma once

#include <string>
#include <string_view>

#include "crypto/asymmetric.h"

namespace qcbak::crypto {

inline constexpr std::size_t kSigningKeyFileLimit = 4096;

// Costs about half a second, as does opening it.
Bytes protect_signing_key(const SignSeed& seed, std::string_view name, ByteView passphrase, Random& random);

class SigningKeyFile {
 public:
  // Error(wrong_key) for what is no such file.
  explicit SigningKeyFile(ByteView file);
  const std::string& name() const { return name_; }
  const SignPublic& key() const { return key_; }
  // Error(wrong_key) for another passphrase.
  SignSeed open(ByteView passphrase) const;

 private:
  std::string name_;
  SignPublic key_;
  Bytes file_;
};

// What a person signs: docs/people.md "What exactly is signed".
Signature sign_statement(const SignSeed& seed, std::string_view statement);
bool verify_statement(const SignPublic& signer, std::string_view statement, const Signature& signature);

}  // namespace qcbak::crypto
