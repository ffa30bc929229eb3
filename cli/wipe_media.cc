// qcbak wipe media
#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/command.h"
#include "cli/daemon_call.h"
#include "cli/kept_dossier.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/text.h"

namespace qcbak::cli {
namespace {

constexpr std::size_t kFileLimit = 1U << 20;

std::string target_of(const Invocation& invocation) {
  return "/v1/media/" + percent_encoded(invocation.arguments.operands().at(1));
}

ExitCode run_import(const Invocation& invocation) {
  const std::string& path = invocation.arguments.operands().at(1);
  const Bytes file = read_file(path, kFileLimit);
  if (!is_utf8(file))
    throw Error(ErrorCode::usage, say("{} is no UTF-8", one_line(path)))
        .with_hint(std::string(tr("save it as CSV UTF-8")));
  const Json taken = in_context(one_line(path), [&] {
    return ask_daemon(control::Method::post, "/v1/media", {{"csv", std::string(as_text(file))}});
  });
  if (invocation.output.json())
    invocation.output.document(taken);
  else if (!invocation.output.quiet())
    invocation.output.line(say("registered or corrected: {}; known already: {}",
                               taken.at("registered").get<std::uint64_t>(),
                               taken.at("unchanged").get<std::uint64_t>()));
  return ExitCode::done;
}

std::string list_target(const Arguments& arguments, bool csv) {
  std::string target = "/v1/media?";
  for (const char* option : {"state", "list"}) {
    if (!arguments.has(option)) continue;
    require_plain_name(arguments.text(option));
    target += std::string(option) + "=" + arguments.text(option) + "&";
  }
  return target + (csv ? "format=csv" : "");
}

ExitCode run_list(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  Output& output = invocation.output;
  const std::string format = arguments.value("format").value_or("text");
  if (format != "text" && format != "csv")
    throw Error(ErrorCode::usage, say("\"{}\" is no format of a list", printable(format)))
        .with_hint(std::string(tr("give text or csv")));
  const Json media = ask_daemon(control::Method::get, list_target(arguments, format == "csv"));
  if (format == "csv") {
    output.bytes(as_bytes(media.at("csv").get_ref<const std::string&>()));
  } else if (output.json()) {
    output.document(media);
  } else {
    Table table({{std::string(tr("ASSET"))},
                 {std::string(tr("SERIAL"))},
                 {std::string(tr("MODEL"))},
                 {std::string(tr("SIZE")), Table::Align::right},
                 {std::string(tr("UNIT"))},
                 {std::string(tr("LIST"))},
                 {std::string(tr("STATE"))}});
    for (const Json& medium : media)
      table.add({text_or_dash(medium, "asset"), text_or_dash(medium, "serial"), text_or_dash(medium, "model"),
                 size_text(medium.at("size_bytes").get<std::uint64_t>()), text_or_dash(medium, "unit"),
                 text_or_dash(medium, "state"), text_or_dash(medium, "step")});
    if (!table.empty()) output.table(table);
  }
  return ExitCode::done;
}

void show_medium(Output& output, const Json& medium) {
  for (const auto& [name, value] : medium.items()) {
    const std::string text = value.is_string() ? value.get<std::string>() : value.is_null() ? "-" : to_text(value);
    output.line(name + std::string(24 - std::min<std::size_t>(name.size(), 23), ' ') + one_line(text));
  }
}

ExitCode tell(const Invocation& invocation, const Json& medium) {
  Output& output = invocation.output;
  if (output.json())
    output.document(medium);
  else if (!output.quiet())
    output.line(say("medium {} is {}", text_or_dash(medium, "asset"), text_or_dash(medium, "step")));
  return ExitCode::done;
}

ExitCode run_show(const Invocation& invocation) {
  const Json medium = ask_daemon(control::Method::get, target_of(invocation));
  if (invocation.output.json())
    invocation.output.document(medium);
  else
    show_medium(invocation.output, medium);
  return ExitCode::done;
}

ExitCode run_release(const Invocation& invocation) {
  return tell(invocation, ask_daemon(control::Method::post, target_of(invocation) + "/release", Json::object()));
}

ExitCode run_quarantine(const Invocation& invocation) {
  const std::string reason = invocation.arguments.text("reason");
  if (reason.empty()) throw Error(ErrorCode::usage, std::string(tr("wipe media quarantine wants --reason TEXT")));
  return tell(invocation,
              ask_daemon(control::Method::post, target_of(invocation) + "/quarantine", {{"reason", reason}}));
}

struct Verb {
  std::string_view name;
  std::size_t operands;  // after it
  ExitCode (*run)(const Invocation&);
};
constexpr Verb kVerbs[] = {{"import", 1, run_import},
                           {"list", 0, run_list},
                           {"show", 1, run_show},
                           {"release", 1, run_release},
                           {"quarantine", 1, run_quarantine}};

ExitCode run_media(const Invocation& invocation) {
  const std::vector<std::string>& operands = invocation.arguments.operands();
  for (const Verb& verb : kVerbs)
    if (operands.front() == verb.name && operands.size() == verb.operands + 1) return verb.run(invocation);
  throw Error(
      ErrorCode::usage,
      std::string(tr("wipe media wants one of: import FILE, list, show ASSET, release ASSET, quarantine ASSET")))
      .with_hint(std::string(tr("see: qcbak wipe media --help")));
}

}  // namespace

Command wipe_media_command() {
  return {
      .name = "wipe media",
      .summary = "Keep the inventory of media: import, list, show, release, quarantine",
      .description =
          "\"import FILE\" takes in every line of a CSV file, or, when one is wrong, nothing: the first line names the "
          "columns, "
          "\"asset\" is needed, and a line about a medium that is registered corrects it. \"list\" prints the media "
          "and where each "
          "stands. \"show ASSET\" prints all of one. \"release ASSET\" writes down that a medium left: only one that "
          "was wiped, "
          "validated, certified and confirmed. \"quarantine ASSET\" puts one aside, until it is requested anew. To "
          "change "
          "something needs the role asset-officer.",
      .operands = {"import FILE|list|show ASSET|release ASSET|quarantine ASSET", 1, 2},
      .options = {{"state", "STATE", "only those in this state of their life, such as approved"},
                  {"list", "LIST", "in-use, broken, awaiting-disposal or disposed"},
                  {"format", "FORMAT", "of the list: text or csv; text without it"},
                  {"reason", "TEXT", "why a medium is put aside"}},
      .examples = {{"qcbak wipe media import media.csv", "says line and column of what is wrong"},
                   {"qcbak wipe media list --list disposed --format csv", "for the report"},
                   {"qcbak wipe media quarantine TS-0412 --reason 'the label is torn off'",
                    "the reason is in the log"}},
      .run = run_media,
      .common = Command::Common::output_only,
  };
}

}  // namespace qcbak::cli
