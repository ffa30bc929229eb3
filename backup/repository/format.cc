#include "backup/repository/format.h"

#include <bit>

#include "base/error.h"

namespace qcbak::repository {
namespace {

struct SealedParts {
  std::uint32_t epoch;
  Salt salt;
  ByteView ciphertext;
};

SealedParts parse_sealed(ByteView sealed) {
  cbor::Reader reader(sealed);
  reader.array_of(3);
  SealedParts parts;
  parts.epoch = static_cast<std::uint32_t>(reader.uint_at_most(UINT32_MAX));
  parts.salt = Salt(reader.bytes_of(Salt::kSize));
  parts.ciphertext = reader.bytes();
  reader.finish();
  if (parts.ciphertext.size() < crypto::kTagSize) throw Error(ErrorCode::damaged, "sealed data is too short");
  return parts;
}

crypto::AeadKey map_message_key(const MapKey& map_key, const Salt& salt, std::string_view purpose) {
  const std::string info = "qcbak1 map " + std::string(purpose);
  return crypto::AeadKey(crypto::hkdf_sha256(map_key.view(), salt.view(), as_bytes(info), 32).view());
}

Bytes map_associated(const Binding& binding, std::uint32_t epoch, std::string_view purpose, ByteView context) {
  Bytes associated = to_bytes(as_bytes("qcbak1 map"));
  associated.push_back(std::byte{0});
  append(associated, binding.config_hash.view());
  append(associated, binding.domain.view());
  append_le<std::uint32_t>(associated, epoch);
  append_le<std::uint32_t>(associated, static_cast<std::uint32_t>(purpose.size()));
  append(associated, as_bytes(purpose));
  append(associated, context);
  return associated;
}

}  // namespace

std::string pack_path(const ObjectName& name) {
  const std::string hex = name.hex();
  return "packs/" + hex.substr(0, 2) + "/" + hex;
}
std::string index_path(const ObjectName& name) { return "indexes/" + name.hex(); }
std::string snapshot_path(const ObjectName& name) { return "snapshots/" + name.hex(); }
std::string key_path(const ObjectName& name) { return "keys/" + name.hex(); }

std::string log_path(std::uint64_t number) {
  std::string digits = std::to_string(number);
  constexpr std::size_t kDigits = 12;
  check(digits.size() <= kDigits, "a log number has at most twelve digits");
  return "log/" + std::string(kDigits - digits.size(), '0') + digits;
}

std::optional<ObjectName> name_from_path(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  const std::string_view hex = slash == std::string_view::npos ? path : path.substr(slash + 1);
  if (hex.size() != 2 * ObjectName::kSize || hex.find_first_not_of("0123456789abcdef") != std::string_view::npos)
    return std::nullopt;
  return ObjectName(from_hex(hex));
}

Bytes seal_with_map_key(const Binding& binding, std::uint32_t epoch, const MapKey& map_key, std::string_view purpose,
                        ByteView context, ByteView plaintext, Random& random) {
  const Salt salt = random.id<Salt>();
  Bytes ciphertext(plaintext.size() + crypto::kTagSize);
  crypto::Aead(binding.suite, map_message_key(map_key, salt, purpose))
      .seal(0, map_associated(binding, epoch, purpose, context), plaintext, ciphertext);
  Bytes out;
  out.reserve(ciphertext.size() + 64);
  cbor::Writer(out).array(3).uint(epoch).bytes(salt.view()).bytes(ciphertext);
  return out;
}

std::uint32_t sealed_epoch(ByteView sealed) { return parse_sealed(sealed).epoch; }

crypto::AeadKey sealed_message_key(const MapKey& map_key, std::string_view purpose, ByteView sealed) {
  return map_message_key(map_key, parse_sealed(sealed).salt, purpose);
}

Bytes open_with_map_key(const Binding& binding, const MapKey& map_key, std::string_view purpose, ByteView context,
                        ByteView sealed) {
  return open_with_message_key(binding, sealed_message_key(map_key, purpose, sealed), purpose, context, sealed);
}

Bytes open_with_message_key(const Binding& binding, const crypto::AeadKey& key, std::string_view purpose,
                            ByteView context, ByteView sealed) {
  const SealedParts parts = parse_sealed(sealed);
  Bytes plaintext(parts.ciphertext.size() - crypto::kTagSize);
  crypto::Aead aead(binding.suite, key);
  if (!aead.open(0, map_associated(binding, parts.epoch, purpose, context), parts.ciphertext, plaintext))
    throw Error(ErrorCode::damaged, "the sealed " + std::string(purpose) + " was altered, or belongs elsewhere");
  return plaintext;
}

std::uint64_t padme(std::uint64_t length) {
  if (length < 2) return length;
  const auto exponent = static_cast<unsigned>(std::bit_width(length)) - 1;
  const auto kept = static_cast<unsigned>(std::bit_width(exponent));
  const std::uint64_t mask = (std::uint64_t(1) << (exponent - kept)) - 1;
  return exponent <= kept ? length : (length + mask) & ~mask;
}

}  // namespace qcbak::repository
