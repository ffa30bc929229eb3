#include "evidence/certificate.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "evidence/log_json.h"

namespace qcbak::evidence {
namespace {

using Canonical = nlohmann::json;  // its objects sort their keys by byte
constexpr std::string_view kBeginning = "{\"dossier\":{";
constexpr std::string_view kFormat = "qcbak certificate 1";

Certificate read(std::string_view text) {
  const Json shallow = parse_object(text.substr(0, text.size() - 1));  // which bounds how deep it is
  if (!shallow.is_object()) throw Error(ErrorCode::damaged, "it is no JSON any more");
  const Canonical json = Canonical::parse(text);
  if (json.at("format") != kFormat) throw Error(ErrorCode::damaged, "it is of another format, or of a later version");
  const Canonical& log = json.at("log");
  const auto number = [&](const char* name) { return log.at(name).get<std::uint64_t>(); };
  return {json.at("dossier").dump() + "\n",
          LogRange{number("first"), number("last"), number("head_number"), log.at("head").get<std::string>()}};
}

}  // namespace

std::string encode(const Certificate& certificate) {
  if (!certificate.log) return certificate.dossier;
  const LogRange& log = *certificate.log;
  return Canonical{
             {"dossier", Canonical::parse(certificate.dossier)},
             {"format", kFormat},
             {"log", {{"first", log.first}, {"head", log.head}, {"head_number", log.head_number}, {"last", log.last}}}}
             .dump() +
         "\n";
}

Certificate parse_certificate(std::string_view text) {
  if (!text.starts_with(kBeginning)) return {std::string(text), std::nullopt};
  try {
    Certificate certificate = read(text);
    if (encode(certificate) == text) return certificate;
  } catch (const nlohmann::json::exception&) {
    // Said below.
  }
  throw Error(ErrorCode::damaged, "it is not as it was written");
}

}  // namespace qcbak::evidence
