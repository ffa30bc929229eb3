// Dossiers that the daemon keeps, as commands fetch them, add to them and send what was added. docs/media.md.
#pragma once

#include <string>

#include "cli/command.h"
#include "cli/dossier_file.h"
#include "cli/json.h"

namespace qcbak::cli {

struct KeptDossier {
  Json reply;            // of the daemon, all of it
  std::string document;  // as it is kept
  evidence::Dossier dossier;
  evidence::Signers known;  // keys of people, as the daemon has them
};
KeptDossier fetch_dossier(const std::string& id);
KeptDossier kept_dossier(Json reply);
// The command's operand is an id, not a file: there is no -o.
inline bool is_by_id(const Invocation& invocation) { return !invocation.arguments.has("output"); }

// Sends what `grown` has beyond `kept`, one member at a time; the daemon's reply. `kept` may be empty: it is new.
enum class Origin { here, bundle };
Json send_growth(const std::string& id, const std::string& kept, const evidence::Dossier& grown, Origin origin);
// Signs this member of what `kept` became, with the key of who types, and sends it. Error(refused) when something would be wrong.
Json sign_and_send(const Invocation& invocation, const KeptDossier& kept, const evidence::Dossier& dossier,
                   evidence::Signed& member, const std::string& reason = "");

void show_kept(Output& output, const Json& reply);  // for people
// The result: all of it as JSON, or the id, and what comes next.
void tell_kept(const Invocation& invocation, const Json& reply, const std::string& next);
// As a part of a target.
std::string percent_encoded(const std::string& text);

}  // namespace qcbak::cli
