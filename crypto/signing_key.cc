#include "crypto/signing_key.h"

#include "base/cbor.h"
#include "base/error.h"
#include "crypto/aead.h"
#include "crypto/password.h"

namespace qcbak::crypto {
namespace {

constexpr std::string_view kMagic = "qcbak signing key";
constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kNameLimit = 256;
constexpr std::string_view kStatementPrefix = "qcbak statement 1\n";

struct Parts {
  std::string name;
  SignPublic key;
  PasswordParameters password;
  ByteView sealed;
};

void write(cbor::Writer& writer, const Parts& parts, std::uint64_t keys) {
  writer.map(keys);
  writer.uint(1).text(kMagic).uint(2).uint(kVersion).uint(3).text(parts.name);
  writer.uint(4).bytes(parts.key.view()).uint(5).bytes(parts.password.salt.view());
  writer.uint(6).uint(parts.password.passes).uint(7).uint(parts.password.memory_kib);
}

// All that is not sealed.
Bytes associated(const Parts& parts) {
  Bytes out;
  cbor::Writer writer(out);
  write(writer, parts, 7);
  return out;
}

Parts parse(ByteView file) {
  Parts parts;
  cbor::Reader reader(file);
  for (cbor::MapReader map(reader); map.next();) {
    switch (map.key()) {
      case 1:
        if (reader.text() != kMagic) throw Error(ErrorCode::damaged, "it is something else");
        break;
      case 2:
        if (reader.uint() != kVersion)
          throw Error(ErrorCode::damaged, "it is of a version that this program does not know");
        break;
      case 3: parts.name = reader.text(); break;
      case 4: parts.key = SignPublic(reader.bytes_of(SignPublic::kSize)); break;
      case 5:
        parts.password.salt = decltype(parts.password.salt)(reader.bytes_of(decltype(parts.password.salt)::kSize));
        break;
      case 6: parts.password.passes = static_cast<std::uint32_t>(reader.uint_at_most(~0U)); break;
      case 7: parts.password.memory_kib = static_cast<std::uint32_t>(reader.uint_at_most(~0U)); break;
      case 8: parts.sealed = reader.bytes_of(SignSeed::kSize + kTagSize); break;
      default: map.unknown();
    }
  }
  reader.finish();
  if (parts.sealed.empty() || parts.name.size() > kNameLimit) throw Error(ErrorCode::damaged, "something is missing");
  check_password_parameters(parts.password);
  return parts;
}

std::string message(std::string_view statement) { return std::string(kStatementPrefix) + std::string(statement); }

}  // namespace

Bytes protect_signing_key(const SignSeed& seed, std::string_view name, ByteView passphrase, Random& random) {
  Parts parts;
  parts.name = name;
  parts.key = sign_public(seed);
  parts.password = new_password_parameters(random);
  const AeadKey key = key_from_password(passphrase, parts.password);
  Bytes sealed(SignSeed::kSize + kTagSize);
  Aead(Suite::xchacha20_poly1305, key).seal(0, associated(parts), seed.view(), sealed);
  Bytes out;
  cbor::Writer writer(out);
  write(writer, parts, 8);
  writer.uint(8).bytes(sealed);
  return out;
}

SigningKeyFile::SigningKeyFile(ByteView file) : file_(to_bytes(file)) {
  try {
    const Parts parts = parse(file_);
    name_ = parts.name;
    key_ = parts.key;
  } catch (const Error& error) {
    throw Error(ErrorCode::wrong_key, std::string("this is no signing key that can be used: ") + error.what());
  }
}

SignSeed SigningKeyFile::open(ByteView passphrase) const {
  const Parts parts = parse(file_);
  SignSeed seed;
  Aead aead(Suite::xchacha20_poly1305, key_from_password(passphrase, parts.password));
  if (!aead.open(0, associated(parts), parts.sealed, seed.mutable_view()) || sign_public(seed) != parts.key)
    throw Error(ErrorCode::wrong_key, "wrong passphrase for the signing key of " + name_);
  return seed;
}

Signature sign_statement(const SignSeed& seed, std::string_view statement) {
  return sign(seed, as_bytes(message(statement)));
}

bool verify_statement(const SignPublic& signer, std::string_view statement, const Signature& signature) {
  return verify(signer, as_bytes(message(statement)), signature);
}

}  // namespace qcbak::crypto
