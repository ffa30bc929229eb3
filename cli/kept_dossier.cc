#include "cli/kept_dossier.h"

#include "base/error.h"
#include "cli/daemon_call.h"
#include "cli/messages.h"
#include "cli/text.h"
#include "evidence/dossier_growth.h"

namespace qcbak::cli {
namespace {

// One member of a growth, or one of the members of a list, at a time.
std::vector<Json> parts_of(const Json& growth) {
  std::vector<Json> parts;
  if (growth.contains("request")) parts.push_back({{"format", growth.at("format")}, {"request", growth.at("request")}});
  if (growth.contains("approval")) parts.push_back({{"approval", growth.at("approval")}});
  for (const char* list : {"runs", "destructions"})
    if (growth.contains(list))
      for (const Json& each : growth.at(list)) parts.push_back({{list, Json::array({each})}});
  for (const char* member : {"validation", "confirmation"})
    if (growth.contains(member)) parts.push_back({{member, growth.at(member)}});
  return parts;
}

}  // namespace

KeptDossier kept_dossier(Json reply) {
  KeptDossier kept;
  kept.document = reply.at("document").get<std::string>();
  kept.dossier = evidence::parse_dossier(kept.document);
  for (const auto& [name, key] : reply.at("keys").items()) {
    const Bytes bytes = from_hex(key.get<std::string>());
    kept.known.insert(crypto::SignPublic(bytes));
  }
  kept.reply = std::move(reply);
  return kept;
}

KeptDossier fetch_dossier(const std::string& id) {
  require_plain_name(id);
  return kept_dossier(ask_daemon(control::Method::get, "/v1/wipes/" + id));
}

Json send_growth(const std::string& id, const std::string& kept, const evidence::Dossier& grown, Origin origin) {
  Json reply;
  std::string target = kept.empty() ? "/v1/wipes" : "/v1/wipes/" + id + "/growth";
  for (const Json& part : parts_of(Json::parse(evidence::dossier_growth(kept, evidence::encode(grown))))) {
    // Whoever confirmed on a bench had the certificate before them.
    if (origin == Origin::bundle && part.contains("confirmation"))
      ask_daemon(control::Method::post, "/v1/wipes/" + id + "/certify", Json::object());
    Json body{{"growth", part.dump()}};
    if (origin == Origin::bundle) body["imported"] = "yes";
    reply = ask_daemon(control::Method::post, target, body);
    target = "/v1/wipes/" + id + "/growth";
  }
  return reply;
}

Json sign_and_send(const Invocation& invocation, const KeptDossier& kept, const evidence::Dossier& dossier,
                   evidence::Signed& member, const std::string& reason) {
  const Signer signer = open_signer(invocation);
  evidence::sign(dossier, member, signer.name, reason, signer.seed, invocation.clock.now());
  return send_growth(dossier.request.id, kept.document, dossier, Origin::here);
}

void show_kept(Output& output, const Json& reply) {
  output.line(output.styled(Output::Style::heading,
                            say("wipe {}, expires {}", text_or_dash(reply, "id"), text_or_dash(reply, "expires"))));
  if (reply.at("rejected").get<bool>()) output.line(say("rejected: {}", text_or_dash(reply, "reason")));
  for (const Json& medium : reply.at("media"))
    output.line(say("{}, serial {}: {}", text_or_dash(medium, "asset"), text_or_dash(medium, "serial"),
                    text_or_dash(medium, "step")));
}

void tell_kept(const Invocation& invocation, const Json& reply, const std::string& next) {
  Output& output = invocation.output;
  if (output.json()) {
    output.document(reply);
    return;
  }
  output.line(text_or_dash(reply, "id"));
  if (!output.quiet()) output.line(next);
}

std::string percent_encoded(const std::string& text) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (kPlain.find(c) != kPlain.npos)
      encoded += c;
    else
      encoded += {'%', kDigits[byte >> 4U], kDigits[byte & 15U]};
  }
  return encoded;
}

}  // namespace qcbak::cli
