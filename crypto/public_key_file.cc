#include "crypto/public_key_file.h"

#include <array>

#include "base/error.h"
#include "crypto/hash.h"

namespace qcbak::crypto {
namespace {

constexpr std::string_view kBegin = "-----BEGIN PUBLIC KEY-----";
constexpr std::string_view kEnd = "-----END PUBLIC KEY-----";
// SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING of 32 bytes }.
constexpr std::array<std::uint8_t, 12> kPrefix = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
constexpr std::size_t kGroup = 4;

ByteView prefix() { return std::as_bytes(std::span(kPrefix)); }

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorCode::usage, "this is no file of Ed25519 public keys: " + why);
}

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

SignPublic key_of(const std::string& base64) {
  Bytes encoded;
  try {
    encoded = from_base64(base64);
  } catch (const Error&) {
    refuse("a key is not base64");
  }
  const ByteView view = encoded;
  if (view.size() != kPrefix.size() + SignPublic::kSize || !equal(view.first(kPrefix.size()), prefix()))
    refuse("a key is of another kind");
  return SignPublic(view.subspan(kPrefix.size()));
}

// What stands between the first line of a block and its last.
std::string take_body(std::string_view& text) {
  std::string body;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (line == kEnd) return body;
    body += line;
  }
  refuse("a key is cut off");
}

}  // namespace

std::string encode_public_key(const SignPublic& key) {
  Bytes encoded = to_bytes(prefix());
  append(encoded, key.view());
  return std::string(kBegin) + "\n" + to_base64(encoded) + "\n" + std::string(kEnd) + "\n";
}

std::vector<SignPublic> parse_public_keys(std::string_view pem) {
  if (pem.size() > kPublicKeyFileLimit) refuse("it is too large");
  std::vector<SignPublic> keys;
  while (!pem.empty()) {
    const std::string_view line = take_line(pem);
    if (line.empty() || line.starts_with('#')) continue;
    if (line != kBegin) refuse("it holds something else");
    if (keys.size() == kPublicKeysInFile) refuse("it holds too many keys");
    keys.push_back(key_of(take_body(pem)));
  }
  if (keys.empty()) refuse("it holds none");
  return keys;
}

std::string fingerprint(const SignPublic& key) {
  const std::string hex = sha256(key.view()).hex();
  std::string groups;
  for (std::size_t at = 0; at < hex.size(); at += kGroup) groups += (at == 0 ? "" : " ") + hex.substr(at, kGroup);
  return groups;
}

}  // namespace qcbak::crypto
