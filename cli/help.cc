#include "cli/help.h"

#include <fmt/format.h>

#include "cli/messages.h"
#include "cli/text.h"

namespace qcbak::cli {
namespace {

constexpr std::size_t kLineWidth = 100;
constexpr std::size_t kIndent = 2;

// `text` in lines of at most kLineWidth columns, all but the first indented by `indent`.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string out;
  std::size_t column = indent;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
    const std::size_t width = display_width(word);
    if (column > indent && column + 1 + width > kLineWidth) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += " ";
      ++column;
    }
    out += word;
    column += width;
  }
  return out;
}

// Two columns: a term, and what it means.
std::string term_list(const std::vector<std::pair<std::string, std::string>>& rows) {
  std::size_t widest = 0;
  for (const auto& [term, meaning] : rows) widest = std::max(widest, display_width(term));
  const std::size_t column = std::min<std::size_t>(widest, 32) + kIndent + 2;
  std::string out;
  for (const auto& [term, meaning] : rows) {
    const std::string left = std::string(kIndent, ' ') + term;
    const std::size_t width = display_width(left);
    out += left;
    out += width + 2 > column ? "\n" + std::string(column, ' ') : std::string(column - width, ' ');
    out += wrapped(meaning, column) + "\n";
  }
  return out;
}

std::string examples(const std::vector<Example>& list) {
  std::string out = fmt::format("\n{}\n", tr("Examples:"));
  for (const Example& example : list)
    out += fmt::format("  {}\n      {}\n", example.command, wrapped(tr(example.what), 6));
  return out;
}

std::string option_list(std::string_view heading, const std::vector<Option>& options) {
  if (options.empty()) return "";
  std::vector<std::pair<std::string, std::string>> rows;
  for (const Option& option : options) rows.emplace_back(shown(option), tr(option.help));
  return fmt::format("\n{}\n{}", tr(heading), term_list(rows));
}

std::string command_help(const Program& program, const Command& command) {
  std::string out = fmt::format("{} {}\n\n{}.\n\n{}\n", tr("Usage:"), usage_line(program, command), tr(command.summary),
                                wrapped(tr(command.description), 0));
  out += option_list("Options:", command.options);
  out += option_list("Common options:", common_options(command));
  out += examples(command.examples);
  return out;
}

// Commands of one group, or the first words of all.
std::string command_list(const Program& program, std::string_view group) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const Command& command : program.commands) {
    const std::string_view first = command.name.substr(0, command.name.find(' '));
    if (first == "internal") continue;
    if (!group.empty() && first != group) continue;
    rows.emplace_back(command.name, tr(command.summary));
  }
  return fmt::format("\n{}\n{}", tr("Commands:"), term_list(rows));
}

}  // namespace

std::string shown(const Option& option) {
  std::string text = option.letter == 0 ? "" : fmt::format("-{}, ", option.letter);
  text += fmt::format("--{}", option.name);
  if (!option.value.empty()) text += fmt::format(" {}", option.value);
  return text;
}

std::string usage_line(const Program& program, const Command& command) {
  std::string line = fmt::format("{} {}", program.name, command.name);
  if (!command.options.empty()) line += fmt::format(" [{}]", tr("OPTIONS"));
  if (!command.operands.shown.empty()) line += fmt::format(" {}", command.operands.shown);
  return line;
}

std::string help_text(const Program& program, std::string_view on) {
  for (const Command& command : program.commands)
    if (command.name == on) return command_help(program, command);
  std::string out;
  if (on.empty()) {
    out += fmt::format("{} {} {} [{}]\n\n{}\n", tr("Usage:"), program.name, tr("COMMAND"), tr("OPTIONS"),
                       wrapped(tr(program.description), 0));
    out += command_list(program, "");
    std::vector<Option> common = repository_options();
    common.insert(common.end(), output_options().begin(), output_options().end());
    common.push_back({.name = "version", .help = "show the version", .letter = 'V'});
    out += option_list("Common options:", common);
    out += examples(program.examples);
    out += fmt::format("\n{}\n", say("{} COMMAND --help explains each of them.", program.name));
    return out;
  }
  out += fmt::format("{} {} {} {} [{}]\n", tr("Usage:"), program.name, on, tr("COMMAND"), tr("OPTIONS"));
  out += command_list(program, on);
  std::vector<Example> list;
  for (const Command& command : program.commands)
    if (command.name.starts_with(on) && !command.examples.empty()) list.push_back(command.examples.front());
  return out + examples(list);
}

}  // namespace qcbak::cli
