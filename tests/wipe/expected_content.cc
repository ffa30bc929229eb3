#include "tests/wipe/expected_content.h"

#include "tests/support/run_command.h"

namespace qcbak::tests {
namespace {

std::string hkdf(std::string_view label, std::uint32_t step, ByteView secret, std::size_t size) {
  Bytes info = to_bytes(as_bytes(label));
  append_le(info, step);
  std::string hex = run_or_throw({"openssl", "kdf", "-keylen", std::to_string(size), "-kdfopt", "digest:SHA256",
                                  "-kdfopt", "hexkey:" + to_hex(secret), "-kdfopt", "hexinfo:" + to_hex(info), "HKDF"});
  std::erase_if(hex, [](char c) { return c == ':' || c == '\n'; });
  for (char& c : hex) c = static_cast<char>(std::tolower(c));
  return hex;
}

Bytes stream(const std::string& key, std::size_t size) {
  const std::string zero_counter(32, '0');
  return to_bytes(
      as_bytes(run_or_throw({"sh", "-c",
                             "head -c " + std::to_string(size) + " /dev/zero | openssl enc -aes-256-ctr -K " + key +
                                 " -iv " + zero_counter})));
}

Bytes repeated(const Bytes& pattern, std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = pattern[i % pattern.size()];
  return bytes;
}

}  // namespace

Bytes expected_content(std::string_view step_text, std::uint32_t step, ByteView secret, std::size_t size) {
  if (step_text == "R") return stream(hkdf("qcbak1 wipe pass", step, secret, 32), size);
  if (step_text == "B") return repeated(from_hex(hkdf("qcbak1 wipe byte", step, secret, 1)), size);
  if (step_text == "~B") {
    Bytes bytes = expected_content("B", step - 1, secret, size);
    for (std::byte& byte : bytes) byte ^= std::byte{0xff};
    return bytes;
  }
  std::string hex(step_text);
  for (char& c : hex) c = static_cast<char>(std::tolower(c));
  return repeated(from_hex(hex), size);
}

}  // namespace qcbak::tests
