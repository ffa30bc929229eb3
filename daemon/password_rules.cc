#include "daemon/password_rules.h"

#include <algorithm>
#include <string>

#include "base/error.h"

namespace qcbak::daemon {
namespace {

bool is_small(char c) { return c >= 'a' && c <= 'z'; }
bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_other(char c) { return c >= ' ' && c <= '~' && !is_small(c) && !is_capital(c) && !is_digit(c); }

std::size_t characters(std::string_view utf8) {
  constexpr unsigned kContinuation = 0x80, kMask = 0xC0;
  return static_cast<std::size_t>(std::count_if(
      utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & kMask) != kContinuation; }));
}

bool contains_in_any_case(std::string_view text, std::string_view part) {
  const auto same = [](char a, char b) { return (is_capital(a) ? a + 'a' - 'A' : a) == (is_capital(b) ? b + 'a' - 'A' : b); };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

}  // namespace

void require_good_password(std::string_view password, std::string_view name) {
  const auto refuse = [](const std::string& why) {
    throw Error(ErrorCode::usage, "this password will not do: " + why)
        .with_hint("11 characters or more, with small and capital letters, digits and others, and without the name");
  };
  const auto has = [&](auto of_class) { return std::any_of(password.begin(), password.end(), of_class); };
  if (characters(password) < kPasswordCharacters) refuse("it has fewer than 11 characters");
  if (password.size() > kPasswordBytes) refuse("it has more than 1024 bytes");
  if (!has(is_small)) refuse("it has no small letter (a to z)");
  if (!has(is_capital)) refuse("it has no capital letter (A to Z)");
  if (!has(is_digit)) refuse("it has no digit");
  if (!has(is_other)) refuse("it has nothing but letters and digits");
  if (contains_in_any_case(password, name)) refuse("the name is in it");
}

}  // namespace qcbak::daemon
