#include "control/statement.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace qcbak::control {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kStatementLimit = 16U << 10;

}  // namespace

// Keys come in ascending order by themselves.
std::string encode(const Statement& statement) {
  return Json{{"act", statement.act},
              {"by", statement.by},
              {"object", statement.object},
              {"reason", statement.reason},
              {"repository", statement.repository},
              {"sha256", statement.sha256},
              {"time", statement.time}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

Statement parse_statement(std::string_view text) {
  try {
    if (text.size() > kStatementLimit) throw Error(ErrorCode::usage, "a statement is at most 16 KiB long");
    const Json json = Json::parse(text);
    const auto member = [&](const char* name) { return json.at(name).get<std::string>(); };
    Statement statement{member("act"),        member("by"),     member("object"), member("reason"),
                        member("repository"), member("sha256"), member("time")};
    if (encode(statement) == text) return statement;
  } catch (const Json::exception&) {
    // Said below.
  }
  throw Error(ErrorCode::usage, "this is no statement");
}

}  // namespace qcbak::control
