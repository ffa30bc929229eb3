// qcbak wipe list, inspect, plans
#include "base/error.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/site_plan.h"
#include "cli/text.h"
#include "wipe/linux_disks.h"
#include "wipe/plan.h"

namespace qcbak::cli {
namespace {

std::string or_dash(const std::string& text) { return text.empty() ? "-" : printable(text); }

Json disk_json(const wipe::SeenDisk& disk) {
  return {{"device", disk.path},
          {"vendor", printable(disk.identity.vendor)},
          {"model", printable(disk.identity.model)},
          {"serial", printable(disk.identity.serial)},
          {"firmware", printable(disk.identity.firmware)},
          {"wwid", printable(disk.identity.wwid)},
          {"size_bytes", disk.geometry.size_bytes},
          {"logical_sector_bytes", disk.geometry.logical_sector_bytes},
          {"physical_block_bytes", disk.geometry.physical_block_bytes},
          {"disk_sequence", disk.attachment.disk_sequence},
          {"removable", disk.attachment.removable},
          {"rotational", disk.attachment.rotational},
          {"refusals", disk.refusals}};
}

ExitCode run_list(const Invocation& invocation) {
  Output& output = invocation.output;
  const std::vector<wipe::SeenDisk> disks = wipe::disks_of_machine();
  if (output.json()) {
    Json list = Json::array();
    for (const wipe::SeenDisk& disk : disks) list.push_back(disk_json(disk));
    output.document(list);
    return ExitCode::done;
  }
  Table table({{std::string(tr("DEVICE"))},
               {std::string(tr("SIZE")), Table::Align::right},
               {std::string(tr("MODEL"))},
               {std::string(tr("SERIAL"))},
               {std::string(tr("WHY IT CANNOT BE WIPED NOW"))}});
  for (const wipe::SeenDisk& disk : disks)
    table.add({disk.path, size_text(disk.geometry.size_bytes), or_dash(disk.identity.model),
               or_dash(disk.identity.serial),
               disk.refusals.empty() ? "-" : translate_message(one_line(disk.refusals.front()))});
  if (!table.empty()) output.table(table);
  return ExitCode::done;
}

ExitCode run_inspect(const Invocation& invocation) {
  Output& output = invocation.output;
  const wipe::SeenDisk disk = wipe::look_at(invocation.arguments.operands().front());
  if (output.json()) {
    output.document(disk_json(disk));
    return ExitCode::done;
  }
  output.line(output.styled(Output::Style::heading, one_line(disk.path)));
  output.line(say("vendor {}, model {}, firmware {}", or_dash(disk.identity.vendor), or_dash(disk.identity.model),
                  or_dash(disk.identity.firmware)));
  output.line(say("serial {}, WWID {}", or_dash(disk.identity.serial), or_dash(disk.identity.wwid)));
  output.line(say("{} ({} bytes), sectors of {}, blocks of {} bytes", size_text(disk.geometry.size_bytes),
                  disk.geometry.size_bytes, disk.geometry.logical_sector_bytes, disk.geometry.physical_block_bytes));
  if (disk.refusals.empty()) output.line(tr("nothing stands against wiping it"));
  for (const std::string& refusal : disk.refusals)
    output.line(output.styled(Output::Style::bad, translate_message(one_line(refusal))));
  return ExitCode::done;
}

std::string sign_of(const wipe::Step& step) {
  switch (step.kind) {
    case wipe::StepKind::fixed: return to_hex(step.pattern);
    case wipe::StepKind::drawn: return "B";
    case wipe::StepKind::complement: return "~";
    case wipe::StepKind::random: return "R";
    case wipe::StepKind::read_back: return "V";
    case wipe::StepKind::sample: return "S";
    default: return std::string(wipe::step_kind_name(step.kind));
  }
}

std::string detail_of(const wipe::Step& step) {
  if (step.kind == wipe::StepKind::firmware_erase) return std::string(wipe::method_name(step.method));
  return to_hex(step.pattern);
}

Json plan_json(const wipe::Plan& plan) {
  Json json = Json::parse(wipe::document(plan));
  json["sha256"] = wipe::plan_hash(plan).hex();
  return json;
}

void show_plan(Output& output, const wipe::Plan& plan) {
  output.line(output.styled(Output::Style::heading, say("{}, version {}: {}", plan.name, plan.version, plan.title)));
  output.line(say("source: {}", plan.source));
  for (std::size_t i = 0; i < plan.steps.size(); ++i)
    output.line(say("step {}: {} {}", i + 1, wipe::step_kind_name(plan.steps[i].kind), detail_of(plan.steps[i])));
  output.line(say("SHA-256 {}", wipe::plan_hash(plan).hex()));
}

void list_plans(Output& output) {
  Table table({{std::string(tr("NAME"))}, {std::string(tr("STEPS"))}, {std::string(tr("SOURCE"))}});
  for (const wipe::Plan& plan : wipe::shipped_plans()) {
    constexpr std::size_t kShown = 9;
    std::string steps;
    for (std::size_t i = 0; i < plan.steps.size() && i < kShown; ++i)
      steps += (steps.empty() ? "" : " ") + sign_of(plan.steps[i]);
    table.add({plan.name, plan.steps.size() > kShown ? steps + " …" : steps, plan.source});
  }
  table.add({wipe::destruction_plan().name, "", wipe::destruction_plan().source});
  output.table(table);
  if (!output.quiet()) output.line(tr("B a drawn byte, ~ the complement, R random, V read back, S a sample read back; bytes in hexadecimal"));
}

// No plan's name has these.
bool is_file_name(const std::string& name) { return name.find('/') != name.npos || name.ends_with(".toml"); }

ExitCode run_plans(const Invocation& invocation) {
  Output& output = invocation.output;
  const std::vector<std::string>& names = invocation.arguments.operands();
  if (!names.empty()) {
    const wipe::Plan plan = is_file_name(names.front()) ? site_plan(names.front()) : wipe::shipped_plan(names.front());
    output.json() ? output.document(plan_json(plan)) : show_plan(output, plan);
  } else if (output.json()) {
    Json list = Json::array();
    for (const wipe::Plan& plan : wipe::shipped_plans()) list.push_back(plan_json(plan));
    list.push_back(plan_json(wipe::destruction_plan()));
    output.document(list);
  } else {
    list_plans(output);
  }
  return ExitCode::done;
}

}  // namespace

Command wipe_list_command() {
  return {
      .name = "wipe list",
      .summary = "List the disks of this machine",
      .description = "Prints each whole disk with its identity and size, and why it cannot be wiped now. Opens nothing for writing.",
      .examples = {{"qcbak wipe list", "which disk is which"}},
      .run = run_list,
      .common = Command::Common::output_only,
  };
}

Command wipe_inspect_command() {
  return {
      .name = "wipe inspect",
      .summary = "Show what a disk is and what it is used for",
      .description = "Prints all that a disk says of itself, and everything that stands against wiping it.",
      .operands = {"DEVICE", 1, 1},
      .examples = {{"qcbak wipe inspect /dev/sdb", "before it is put on a list"}},
      .run = run_inspect,
      .common = Command::Common::output_only,
  };
}

Command wipe_plans_command() {
  return {
      .name = "wipe plans",
      .summary = "List the plans of wiping",
      .description =
          "Prints the plans that come with this version. With a name, or a file of your own that ends in .toml, every step "
          "of that plan, and the SHA-256 that is approved.",
      .operands = {"[NAME|FILE]", 0, 1},
      .examples = {{"qcbak wipe plans hmg-is5-enhanced", "what would be done"}},
      .run = run_plans,
      .common = Command::Common::output_only,
  };
}

}  // namespace qcbak::cli
