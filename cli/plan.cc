// qcbak plan show, submit, approve, reject
#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/command.h"
#include "cli/daemon_call.h"
#include "cli/messages.h"
#include "cli/new_file.h"
#include "cli/output.h"
#include "cli/signing.h"
#include "cli/text.h"
#include "crypto/hash.h"
#include "evidence/plan_page.h"

namespace qcbak::cli {
namespace {

constexpr std::size_t kConfigurationLimit = 1U << 20;

std::string words(const Json& value) { return one_line(value.is_string() ? value.get<std::string>() : to_text(value)); }

std::string joined(const Json& texts) {
  std::string all;
  for (const Json& text : texts) all += (all.empty() ? "" : " ") + words(text);
  return all;
}

std::string when(const Json& time) {
  const bool on_change = time.at("on_change").get<bool>();
  const std::string schedule = words(time.at("schedule"));
  if (schedule == "never") return std::string(on_change ? tr("on change") : tr("on request"));
  return on_change ? schedule + ", " + std::string(tr("on change")) : schedule;
}

std::string kept(const Json& retention) {
  std::string rules;
  for (const auto& [rule, value] : retention.items()) rules += (rules.empty() ? "" : ", ") + rule + " " + words(value);
  return rules.empty() ? std::string(tr("all")) : rules;
}

void show_jobs(Output& output, const Json& document) {
  Table table({{std::string(tr("JOB"))},
               {std::string(tr("WHEN"))},
               {std::string(tr("EXTENT"))},
               {std::string(tr("KEPT"))},
               {std::string(tr("PATHS"))}});
  for (const auto& [name, job] : document.at("jobs").items())
    table.add({one_line(name), when(job.at("time")),
               std::string(job.at("extent") == "full" ? tr("full") : tr("partial")), kept(job.at("retention")),
               joined(job.at("source").at("files"))});
  if (!table.empty()) output.table(table);
}

std::string words_or_dash(const Json& value) { return value.is_null() ? "-" : words(value); }

void show_changes(Output& output, const Json& plan) {
  for (const Json& change : plan.at("changes")) {
    const std::string kind = text_or_dash(change, "change");
    const std::string job = change.at("job").is_null() ? "" : change.at("job").get<std::string>();
    if (kind == "added") output.line(output.styled(Output::Style::good, say("+ job {} is new", job)));
    if (kind == "removed") output.line(output.styled(Output::Style::bad, say("- job {} is gone", job)));
    for (const Json& each : change.at("settings"))
      output.line(say("~ {}{}: {} -> {}", job.empty() ? "" : job + ".", words(each.at("setting")), words_or_dash(each.at("before")),
                      words_or_dash(each.at("after"))));
  }
}

void show_decision(Output& output, const Json& plan) {
  const std::string state = text_or_dash(plan, "state");
  if (state == "waiting") {
    output.line(tr("it waits for approval"));
    return;
  }
  if (plan.at("decided_by").is_null()) {
    output.line(tr("it was replaced by a newer one before anybody decided"));
    return;
  }
  const bool is_signed = !plan.at("signature").is_null();
  const std::string who = text_or_dash(plan, "decided_by"), time = text_or_dash(plan, "decided");
  if (state == "rejected")
    output.line(say("rejected {} by {}", time, who));
  else if (is_signed)
    output.line(say("approved {} by {}, signed", time, who));
  else
    output.line(say("approved {} by {}, not signed", time, who));
  if (state == "replaced") output.line(tr("a later plan took its place"));
  if (!plan.at("reason").is_null()) output.line(say("reason: {}", text_or_dash(plan, "reason")));
}

void show(Output& output, const Json& plan) {
  const Json document = Json::parse(plan.at("document").get<std::string>());
  output.line(output.styled(Output::Style::heading, say("plan {}", text_or_dash(plan, "id"))));
  output.line(say("submitted {} by {}", text_or_dash(plan, "submitted"), text_or_dash(plan, "submitted_by")));
  show_decision(output, plan);
  if (document.contains("combined_roles"))
    output.line(say("one person may have several roles: {}", words(document.at("combined_roles"))));
  show_jobs(output, document);
  show_changes(output, plan);
}

ExitCode show_all(const Invocation& invocation, const Json& plans) {
  Output& output = invocation.output;
  const Json& in_force = plans.at("in_force");
  const Json& waiting = plans.at("waiting");
  if (in_force.is_null())
    output.line(tr("no plan has been approved yet"));
  else
    show(output, in_force);
  if (!waiting.is_null()) {
    output.line("");
    show(output, waiting);
  }
  for (const auto& [job, why] : plans.at("held").items())
    output.line(output.styled(Output::Style::bad,
                              say("job {} is held: {}", one_line(job), translate_message(why.get<std::string>()))));
  return ExitCode::done;
}

// The page, to a file or to standard output.
void write_page(const Invocation& invocation, const Json& plan) {
  const std::string page = evidence::plan_page(nlohmann::json::parse(plan.dump()));
  const std::string path = invocation.arguments.text("output");
  if (path.empty()) return invocation.output.bytes(as_bytes(page));
  NewFile file(path, NewFile::kForAll);
  file.write(as_bytes(page));
  file.keep();
}

ExitCode run_show(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  const std::string format = arguments.has("format") ? arguments.text("format") : "text";
  if (format != "text" && format != "html")
    throw Error(ErrorCode::usage, say("\"{}\" is no format of a plan", printable(format)))
        .with_hint(std::string(tr("give text or html")));
  const bool one = !arguments.operands().empty();
  const Json found = ask_daemon(control::Method::get, one ? "/v1/plans/" + name_in_target(invocation) : "/v1/plans");
  if (format == "html") {
    const Json& plan = one ? found : !found.at("in_force").is_null() ? found.at("in_force") : found.at("waiting");
    if (plan.is_null())
      throw Error(ErrorCode::not_found, std::string(tr("no plan was submitted yet"))).with_hint("qcbak plan submit");
    write_page(invocation, plan);
  } else if (invocation.output.json()) {
    invocation.output.document(found);
  } else if (one) {
    show(invocation.output, found);
  } else {
    return show_all(invocation, found);
  }
  return ExitCode::done;
}

ExitCode run_submit(const Invocation& invocation) {
  Json body = nullptr;
  if (!invocation.arguments.operands().empty()) {
    const std::string& path = invocation.arguments.operands().front();
    body = {{"configuration", std::string(as_text(read_file(path, kConfigurationLimit)))}, {"file", path}};
  }
  const Json plan = ask_daemon(control::Method::post, "/v1/plans", body);
  Output& output = invocation.output;
  if (output.json()) {
    output.document(plan);
  } else {
    output.line(text_or_dash(plan, "id"));
    if (output.quiet()) return ExitCode::done;
    show_changes(output, plan);
    output.line(
        say("next: an approver, who is not you, types: qcbak plan approve {}", text_or_dash(plan, "id").substr(0, 8)));
  }
  return ExitCode::done;
}

// Who has a key signs what they have seen: the document as it came here.
Json decision(const Invocation& invocation, const Json& plan, std::string_view act, const std::string& reason) {
  Json body{{"reason", reason}};
  const std::string name = user_name();
  const Json people = ask_daemon(control::Method::get, "/v1/people").at("people");
  for (const Json& person : people) {
    if (person.at("name") != name || person.at("fingerprint").is_null()) continue;
    const std::string document = plan.at("document").get<std::string>();
    body.update(sign(
        open_signing_key(invocation),
        {std::string(act), name, plan.at("id").get<std::string>(), reason, plan.at("repository").get<std::string>(),
         crypto::sha256(as_bytes(document)).hex(), format_time(invocation.clock.now())}));
  }
  return body;
}

ExitCode decide(const Invocation& invocation, const std::string& verb) {
  Output& output = invocation.output;
  const Json plan = ask_daemon(control::Method::get, "/v1/plans/" + name_in_target(invocation));
  const bool talks = !output.json() && !output.quiet();
  if (talks) show(output, plan);
  if (talks) output.flush();
  const std::string reason = verb == "reject" ? invocation.arguments.text("reason") : "";
  const Json decided = ask_daemon(control::Method::post, "/v1/plans/" + plan.at("id").get<std::string>() + "/" + verb,
                                  decision(invocation, plan, "plan." + verb, reason));
  if (output.json())
    output.document(decided);
  else if (!output.quiet())
    output.line(verb == "approve" ? say("plan {} is in force", text_or_dash(decided, "id"))
                                  : say("plan {} is rejected", text_or_dash(decided, "id")));
  return ExitCode::done;
}

ExitCode run_approve(const Invocation& invocation) { return decide(invocation, "approve"); }
ExitCode run_reject(const Invocation& invocation) { return decide(invocation, "reject"); }

}  // namespace

Command plan_show_command() {
  return {
      .name = "plan show",
      .summary = "Show the plan in force, and the one that waits",
      .description =
          "Prints what was approved, by whom, and what a plan that waits would change. With an id, that plan. As a "
          "page to print "
          "and file with --format html.",
      .operands = {"[ID]", 0, 1},
      .options = {{"format", "FORMAT", "text or html; text without it"},
                  {.name = "output", .value = "FILE", .help = "where the page goes", .letter = 'o'}},
      .examples = {{"qcbak plan show --format html -o plan.html", "the page for the files"}},
      .run = run_show,
      .common = Command::Common::output_only,
  };
}

Command plan_submit_command() {
  return {
      .name = "plan submit",
      .summary = "Submit the jobs for approval",
      .description =
          "Submits the jobs of the running configuration, or those of a configuration file that is to come, as a plan "
          "for an "
          "approver to decide about. Prints the plan's id, and what it changes.",
      .operands = {"[FILE]", 0, 1},
      .examples = {{"qcbak plan submit", "what is configured now"},
                   {"qcbak plan submit new.toml", "before the new configuration is put in place"}},
      .run = run_submit,
      .common = Command::Common::output_only,
  };
}

Command plan_approve_command() {
  return {
      .name = "plan approve",
      .summary = "Approve a plan, with your own key",
      .description =
          "Shows the plan, signs it with your key, and puts it in force: jobs run only as it has them. Needs the role "
          "approver. "
          "Nobody approves what they submitted. The passphrase of the key comes from QCBAK_SIGN_PASSWORD_FILE, or it "
          "is asked for.",
      .operands = {"ID", 1, 1},
      .options = {signing_key_option()},
      .examples = {{"qcbak plan approve 4f0c91aa", "asks for the passphrase of your key"}},
      .run = run_approve,
      .common = Command::Common::output_only,
  };
}

Command plan_reject_command() {
  return {
      .name = "plan reject",
      .summary = "Reject a plan",
      .description =
          "Refuses a plan that waits, signed with your own key. The one in force stays. Needs the role approver.",
      .operands = {"ID", 1, 1},
      .options = {{"reason", "TEXT", "why"}, signing_key_option()},
      .examples = {{"qcbak plan reject 4f0c91aa --reason 'the database is missing'", "the reason is in the log"}},
      .run = run_reject,
      .common = Command::Common::output_only,
  };
}

}  // namespace qcbak::cli
