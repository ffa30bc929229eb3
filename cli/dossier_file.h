// Dossiers of wipes as commands read, judge and write them.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/signing.h"
#include "evidence/dossier.h"

namespace qcbak::cli {

Option people_option();          // --public-key
Option dossier_output_option();  // -o

// What an option says, as it goes into a dossier. Error(usage) unless it is one line of UTF-8, of at most 1024 bytes.
std::string plain_line(const std::string& option, const std::string& text);

// Whether a file is a dossier, or was one before it was altered. Error(io).
bool is_dossier(const std::string& path);
evidence::Dossier read_dossier(const std::string& path);  // Error(damaged)
// Judged by the keys of --public-key; without them a warning says what that means. Error(`unless_sound`) when something is wrong.
evidence::Dossier read_sound_dossier(const Invocation& invocation, const std::string& path, ErrorCode unless_sound);

// The operand that is the dossier, and where the new one goes. Error(usage) where the daemon's form of the command was meant, or
// when there is a file of that name already.
const std::string& dossier_operand(const Invocation& invocation);
std::string dossier_output(const Invocation& invocation);
// Signs a member of the dossier. Error(refused) when something would be wrong with it then.
void sign_dossier(const Invocation& invocation, const evidence::Dossier& dossier, evidence::Signed& member,
                  const Signer& signer, const std::string& reason = "");
// Before something is done that cannot be undone. Error(refused) when the key is not among those of --public-key.
void require_known(const Invocation& invocation, const Signer& signer);
std::vector<evidence::DossierFinding> judge(const Invocation& invocation, const evidence::Dossier& dossier);
void write_dossier(const std::string& path, const evidence::Dossier& dossier);
// Also where there is one: after a crash it is the old or the new one, whole.
void replace_dossier(const std::string& path, const evidence::Dossier& dossier);

Json dossier_json(const evidence::Dossier& dossier);
Json dossier_findings_json(const std::vector<evidence::DossierFinding>& findings);
std::string finding_text(const evidence::DossierFinding& finding);
void show_dossier(Output& output, const evidence::Dossier& dossier);
// The result of a command that wrote one: its id, its file, and for people what comes next.
void tell_dossier(const Invocation& invocation, const evidence::Dossier& dossier, const std::string& path,
                  const std::string& next);

}  // namespace qcbak::cli
