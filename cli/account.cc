// qcbak user password, enrol-otp, review
#include <unistd.h>

#include "base/error.h"
#include "cli/command.h"
#include "cli/daemon_call.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/password.h"
#include "cli/qr_code.h"
#include "cli/remote_session.h"
#include "cli/signing.h"
#include "cli/text.h"

namespace qcbak::cli {
namespace {

std::string whose(const Invocation& invocation) {
  return invocation.arguments.operands().empty() ? user_name() : name_in_target(invocation);
}

void tell(const Invocation& invocation, const Json& reply, const std::string& what) {
  if (invocation.output.json()) invocation.output.document(reply);
  else if (!invocation.output.quiet()) invocation.output.line(what);
}

bool has_account(const std::string& name) {
  const Json people = ask_daemon(control::Method::get, "/v1/people").at("people");
  for (const Json& person : people)
    if (person.at("name") == name) return !person.at("account").is_null() && person.at("account").at("state") != "no password";
  return false;
}

ExitCode run_password(const Invocation& invocation) {
  const std::string name = whose(invocation);
  Json body = Json::object();
  if (name == user_name() && has_account(name))
    body["password"] = std::string(as_text(read_account_password(invocation).view()));
  body["new"] = std::string(as_text(read_new_account_password(invocation).view()));
  const bool own = name == user_name();
  const Json reply = ask_daemon(control::Method::post, "/v1/people/" + name + "/password", body);
  if (own) forget_session();  // it has ended
  tell(invocation, reply,
       reply.at("temporary").get<bool>()
           ? say("user {} has a new password, and chooses another one at the first log-in", name)
           : say("user {} has a new password; log in with it", name));
  return ExitCode::done;
}

std::string code_from(const Invocation& invocation, const char* option, const std::string& question) {
  if (const auto given = invocation.arguments.value(option)) return *given;
  if (!input_is_terminal())
    throw Error(ErrorCode::usage, say("a code is wanted, and there is no terminal to ask for it: --{} CODE", option));
  return ask_on_terminal(invocation, question);
}

void show_proposal(const Invocation& invocation, const Json& proposal) {
  if (::isatty(STDOUT_FILENO) == 1)
    for (const std::string& line : qr_code_lines(proposal.at("uri").get<std::string>())) invocation.output.line(line);
  invocation.output.line(say("Scan this with an app for one-time codes, or type its key: {}", text_or_dash(proposal, "secret")));
}

ExitCode enrol_otp(const Invocation& invocation) {
  const std::string target = "/v1/people/" + user_name() + "/otp";
  bool replaces = invocation.arguments.has("present-code");
  if (!invocation.arguments.has("code")) {
    const Json proposal = ask_daemon(control::Method::post, target, Json::object());
    if (invocation.output.json()) invocation.output.document(proposal);
    else show_proposal(invocation, proposal);
    invocation.output.flush();
    // Without a terminal it goes on with --code.
    if (!input_is_terminal()) return ExitCode::done;
    replaces = proposal.at("replaces").get<bool>();
  }
  Json body{{"code", code_from(invocation, "code", std::string(tr("The code that it shows: ")))}};
  if (replaces)
    body["present_code"] = code_from(invocation, "present-code", std::string(tr("A code of the app used until now: ")));
  tell(invocation, ask_daemon(control::Method::post, target, body), std::string(tr("from now on each log-in needs a code")));
  return ExitCode::done;
}

ExitCode run_enrol_otp(const Invocation& invocation) {
  const auto lost = invocation.arguments.value("remove");
  if (!lost) return enrol_otp(invocation);
  require_plain_name(*lost);
  tell(invocation, ask_daemon(control::Method::post, "/v1/people/" + *lost + "/otp/remove"),
       say("user {} has no second factor any longer", *lost));
  return ExitCode::done;
}

std::string joined(const Json& names) {
  std::string text;
  for (const Json& name : names) text += (text.empty() ? "" : ", ") + one_line(name.get<std::string>());
  return text.empty() ? "-" : text;
}

void show(Output& output, const Json& review) {
  Table table({{std::string(tr("NAME"))},
               {std::string(tr("ROLES"))},
               {std::string(tr("ACCOUNT"))},
               {std::string(tr("CODE"))},
               {std::string(tr("LAST USED"))}});
  for (const Json& person : review.at("people")) {
    const Json& account = person.at("account");
    const bool none = account.is_null();
    table.add({text_or_dash(person, "name"), joined(person.at("roles")),
               person.at("locked").get<bool>() ? std::string(tr("person locked")) : none ? "-" : text_or_dash(account, "state"),
               none ? "-" : std::string(account.at("second_factor").get<bool>() ? tr("yes") : tr("no")),
               none ? "-" : text_or_dash(account, "last_used")});
  }
  if (!table.empty()) output.table(table);
  if (const Json& last = review.at("last"); !last.is_null())
    output.line(say("last reviewed {} by {}", text_or_dash(last, "time"), text_or_dash(last, "by")));
  if (!review.at("due").is_null()) output.line(say("the next review is due {}", text_or_dash(review, "due")));
}

ExitCode run_review(const Invocation& invocation) {
  const auto note = invocation.arguments.value("note");
  const bool done = invocation.arguments.has("done");
  if (note && !done) throw Error(ErrorCode::usage, std::string(tr("--note goes with --done")));
  const Json review = done ? ask_daemon(control::Method::post, "/v1/review", {{"note", note.value_or("")}})
                           : ask_daemon(control::Method::get, "/v1/review");
  if (invocation.output.json()) invocation.output.document(review);
  else show(invocation.output, review);
  return ExitCode::done;
}

}  // namespace

Command user_password_command() {
  return {
      .name = "user password",
      .summary = "Set a password for log-ins over the network",
      .description =
          "An administrator gives somebody a first password, or a new one for who forgot theirs; it has to be changed at the "
          "first log-in. Without NAME, or with one's own, one changes one's own, by the present one. Passwords have 11 "
          "characters or more of four classes, without the name, and are good for 60 days.",
      .operands = {"NAME", 0, 1},
      .options = {{"password-file", "FILE", "its first line is your present password"},
                  {"new-password-file", "FILE", "its first line is the new password"}},
      .examples = {{"qcbak user password lan", "a first password for user lan"},
                   {"qcbak user password", "another one for oneself"}},
      .run = run_password,
      .common = Command::Common::output_only,
  };
}

Command user_enrol_otp_command() {
  return {
      .name = "user enrol-otp",
      .summary = "Enrol a second factor for log-ins over the network",
      .description =
          "Shows a key for an app that makes one-time codes (TOTP), as a QR code on a terminal, and asks for the first code. "
          "From then on each log-in needs one. Without a terminal it is two steps: the second one with --code.",
      .options = {{"code", "CODE", "the code of a key that was shown before"},
                  {"present-code", "CODE", "one of the app used until now, where there is one"},
                  {"remove", "NAME", "as an administrator: take away the second factor of somebody who lost it"}},
      .examples = {{"qcbak user enrol-otp", "for oneself"},
                   {"qcbak user enrol-otp --remove lan", "user lan lost the telephone"}},
      .run = run_enrol_otp,
      .common = Command::Common::output_only,
  };
}

Command user_review_command() {
  return {
      .name = "user review",
      .summary = "Look through who may what",
      .description =
          "Prints who has which roles, by name or through a group, the state of their accounts, and when they were last used. "
          "With --done an administrator or auditor writes down that they looked; the next review is due 90 days later.",
      .options = {{"done", "", "write down that this was looked through"}, {"note", "TEXT", "what was found"}},
      .examples = {{"qcbak user review", "who may what"},
                   {"qcbak user review --done --note \"minh left, locked\"", "looked through"}},
      .run = run_review,
      .common = Command::Common::output_only,
  };
}

}  // namespace qcbak::cli
