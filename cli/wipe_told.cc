#include "cli/wipe_told.h"

#include <algorithm>

#include "base/error.h"
#include "cli/daemon_call.h"
#include "cli/messages.h"
#include "cli/new_file.h"
#include "cli/text.h"
#include "wipe/journal.h"

namespace qcbak::cli {
namespace {

bool is_begun(const std::string& state) { return state == "sanitising" || state == "verifying"; }

}  // namespace

ToldDaemon::ToldDaemon(const Invocation& invocation, const KeptDossier& kept, const std::vector<WipeTask>& tasks)
    : invocation_(invocation), kept_(kept), tasks_(tasks) {}

std::string ToldDaemon::state_of(std::size_t medium) const {
  for (const Json& each : kept_.reply.at("media"))
    if (each.at("medium") == medium + 1) return each.at("step").get<std::string>();
  return "";
}

const WipeTask& ToldDaemon::task_of(std::size_t medium) const {
  const auto found = std::ranges::find(tasks_, medium, &WipeTask::medium);
  check(found != tasks_.end(), "only media that are at work are told of");
  return *found;
}

std::string ToldDaemon::job_of(std::size_t medium) const {
  for (const Json& each : kept_.reply.at("media"))
    if (each.at("medium") == medium + 1 && each.at("job").is_string()) return each.at("job").get<std::string>();
  return "";
}

void ToldDaemon::tell(std::size_t medium, const std::string& act) {
  if (untold_.contains(medium)) return;
  try {
    ask_daemon(control::Method::post, "/v1/wipes/" + kept_.dossier.request.id + "/step",
               {{"medium", std::to_string(medium + 1)}, {"act", act}, {"job", job_of(medium)}});
  } catch (const Error& error) {
    if (error.code() != ErrorCode::io) throw;
    untold_.insert(medium);
    invocation_.output.warn(say("the wipe of serial {} goes on without the daemon: {}", one_line(task_of(medium).requested.serial),
                                translate_message(error.what())));
  }
}

void ToldDaemon::entering(std::size_t medium, MediumState state) {
  const std::string before = state_of(medium);
  const bool goes_on = is_begun(before) || before == "interrupted";
  switch (state) {
    case MediumState::inspected:
      if (is_begun(before)) tell(medium, "interrupted");  // by whatever ended the one before
      if (!goes_on) tell(medium, "inspected");
      break;
    case MediumState::cleared:
      if (!goes_on) tell(medium, "cleared");
      break;
    case MediumState::sanitising: tell(medium, goes_on ? "resumed" : "sanitising"); break;
    case MediumState::verifying: tell(medium, "verifying"); break;
    case MediumState::assessed: break;  // the run itself says that
  }
}

void ToldDaemon::finished(const evidence::WipeRun& run) {
  if (untold_.contains(run.medium)) return;
  try {
    const KeptDossier now = fetch_dossier(kept_.dossier.request.id);
    evidence::Dossier grown = now.dossier;
    evidence::add(grown, run);
    send_growth(now.dossier.request.id, now.document, grown, Origin::here);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::io) throw;
    untold_.insert(run.medium);
  }
}

void ToldDaemon::interrupted(const std::vector<WipeOutcome>& outcomes) {
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (!outcomes[i].error || outcomes[i].error->code() != ErrorCode::interrupted) continue;
    try {
      tell(tasks_[i].medium, "interrupted");
    } catch (const Error& error) {
      // It never began: there is nothing to interrupt.
      if (error.code() != ErrorCode::refused) throw;
    }
  }
}

void bring_bundle(const Invocation& invocation, const std::string& path) {
  if (!exists(path)) return;
  const evidence::Dossier bundle = read_dossier(path);
  try {
    const KeptDossier kept = fetch_dossier(bundle.request.id);
    send_growth(bundle.request.id, kept.document, evidence::join(kept.dossier, bundle), Origin::bundle);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::io) throw;
    invocation.output.warn(say("the daemon does not have it yet: {} is kept; once it answers, type: qcbak wipe import {}",
                               printable(path), printable(path)));
  }
}

}  // namespace qcbak::cli
