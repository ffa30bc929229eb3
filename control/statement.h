// What a person decides, as the line of JSON that they sign. docs/people.md "What exactly is signed".
#pragma once

#include <string>
#include <string_view>

namespace qcbak::control {

struct Statement {
  std::string act;     // "plan.approve"
  std::string by;      // the user
  std::string object;  // the id of what is decided
  std::string reason;
  std::string repository;  // SHA-256 of its config, hexadecimal
  std::string sha256;      // of what is decided
  std::string time;        // ISO 8601
};

std::string encode(const Statement& statement);
// Error(usage) unless it is one in its only form.
Statement parse_statement(std::string_view text);

}  // namespace qcbak::control
