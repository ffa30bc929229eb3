#include "crypto/one_time_code.h"

#include <liboath/oath.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include "base/error.h"
#include "crypto/secret.h"

namespace qcbak::crypto {
namespace {

constexpr std::size_t kSecretSize = 20;
constexpr std::size_t kDigits = 6;
constexpr unsigned kStep_s = 30;
constexpr std::int64_t kSecond_ns = 1'000'000'000;

struct Free {
  void operator()(char* text) const { std::free(text); }
};
using Allocated = std::unique_ptr<char, Free>;

SecretBytes decoded(const std::string& secret) {
  char* out = nullptr;
  std::size_t size = 0;
  if (oath_base32_decode(secret.data(), secret.size(), &out, &size) != OATH_OK)
    throw Error(ErrorCode::damaged, "the secret of a second factor cannot be read");
  const Allocated owned(out);
  const MutableByteView bytes(reinterpret_cast<std::byte*>(out), size);
  SecretBytes copy{ByteView(bytes)};
  wipe(bytes);
  return copy;
}

bool looks_like_a_code(std::string_view code) {
  return code.size() == kDigits && std::all_of(code.begin(), code.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// The code of a step; the library hashes, and says what a code looks like.
bool is_code_of(std::string_view code, const SecretBytes& secret, std::uint64_t step) {
  std::array<char, kDigits + 1> expected{};
  if (oath_hotp_generate(as_text(secret.view()).data(), secret.size(), step, kDigits, false, OATH_HOTP_DYNAMIC_TRUNCATION,
                         expected.data()) != OATH_OK)
    throw Error(ErrorCode::failed, "a one-time code cannot be computed");
  return equal_in_constant_time(as_bytes(code), as_bytes(std::string_view(expected.data(), kDigits)));
}

}  // namespace

std::string new_one_time_secret(Random& random) {
  SecretBytes secret(kSecretSize);
  random.fill(secret.mutable_view());
  char* out = nullptr;
  std::size_t size = 0;
  if (oath_base32_encode(as_text(secret.view()).data(), secret.size(), &out, &size) != OATH_OK)
    throw Error(ErrorCode::failed, "the secret of a second factor cannot be written");
  const Allocated owned(out);
  return {out, size};
}

std::optional<std::uint64_t> step_of_code(std::string_view code, const std::string& secret, Time now,
                                          std::uint64_t last_step) {
  if (!looks_like_a_code(code) || now.ns < 0) return std::nullopt;
  const SecretBytes key = decoded(secret);
  const auto present = static_cast<std::uint64_t>(now.ns / kSecond_ns) / kStep_s;
  for (std::uint64_t step = present == 0 ? 0 : present - 1; step <= present + 1; ++step)
    if (step > last_step && is_code_of(code, key, step)) return step;
  return std::nullopt;
}

}  // namespace qcbak::crypto
