#include "cli/manual.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "cli/help.h"
#include "cli/messages.h"
#include "cli/output.h"

namespace qcbak::cli {
namespace {

constexpr std::string_view kInternal = "internal";

std::string_view first_word(std::string_view name) { return name.substr(0, name.find(' ')); }

// The first words of all commands, each once.
std::vector<std::string_view> verbs(const Program& program) {
  std::vector<std::string_view> found;
  for (const Command& command : program.commands) {
    const std::string_view verb = first_word(command.name);
    if (verb != kInternal && std::find(found.begin(), found.end(), verb) == found.end()) found.push_back(verb);
  }
  return found;
}

std::vector<const Command*> commands_of(const Program& program, std::string_view verb) {
  std::vector<const Command*> found;
  for (const Command& command : program.commands)
    if (first_word(command.name) == verb) found.push_back(&command);
  return found;
}

// ---- Manual pages, in the macros of man(7).

std::string troff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n'))
      out += std::string("\\&") + c;
    else
      out += c;
  }
  return out;
}

std::string option_terms(const std::vector<Option>& options) {
  std::string out;
  for (const Option& option : options) {
    std::string term = option.letter == 0 ? "" : fmt::format("\\fB\\-{}\\fR, ", option.letter);
    term += fmt::format("\\fB{}\\fR", troff("--" + std::string(option.name)));
    if (!option.value.empty()) term += fmt::format(" \\fI{}\\fR", troff(option.value));
    out += fmt::format(".TP\n{}\n{}.\n", term, troff(tr(option.help)));
  }
  return out;
}

std::string man_examples(const std::vector<Example>& examples) {
  std::string out;
  for (const Example& example : examples)
    out += fmt::format(".TP\n{}\n.RS\n.nf\n\\fB{}\\fR\n.fi\n.RE\n", troff(tr(example.what)), troff(example.command));
  return out;
}

struct Term {
  std::string_view term;
  std::string_view meaning;
};

constexpr Term kExitCodes[] = {
    {"0", "done, and complete"},
    {"1", "failed"},
    {"2", "wrong usage"},
    {"3", "finished, but incomplete: some files could not be read or written; each is named"},
    {"4", "verification failed: data is damaged, or what was restored differs from what was backed up"},
    {"5", "refused by policy: held, locked by retention, not confirmed, or not permitted for this user"},
    {"6", "the medium could not be sanitised: destroy it physically"},
    {"10", "no repository there"},
    {"11", "the repository is in use in a way that excludes this command"},
    {"12", "no key fits: wrong password, or this key does not open that domain"},
};

constexpr Term kEnvironment[] = {
    {"QCBAK_REPO", "the repository, when --repo is not given"},
    {"QCBAK_PASSWORD_FILE", "a file whose first line is the password"},
    {"QCBAK_PASSWORD_COMMAND", "a command, run by the shell, whose first line of output is the password"},
    {"QCBAK_CREDENTIAL_FILE", "an exported credential, used instead of a password"},
    {"QCBAK_NEW_PASSWORD_FILE", "a file whose first line is the new password, for key add and key passwd"},
    {"QCBAK_SOCKET", "where the daemon is reached; without it, where \"qcbak login\" was, else /run/qcbak/qcbak.sock"},
    {"QCBAK_CONFIG", "the daemon's configuration; /etc/qcbak/qcbak.toml without it"},
    {"QCBAK_KEYS_DIR", "the folder of keys that are kept apart, when --keys is not given"},
    {"XDG_CACHE_HOME, HOME", "the cache is in qcbak below the first, else in .cache/qcbak below the second"},
    {"LC_ALL, LC_MESSAGES, LANG", "Vietnamese for vi_VN, else English; JSON never changes"},
    {"NO_COLOR", "no colour, when it is set and not empty"},
};

template <std::size_t Size>
std::string term_section(std::string_view heading, const Term (&terms)[Size]) {
  std::string out = fmt::format(".SH {}\n", heading);
  for (const Term& term : terms)
    out += fmt::format(".TP\n\\fB{}\\fR\n{}.\n", troff(term.term), troff(tr(term.meaning)));
  return out;
}

std::string man_head(const std::string& page, std::string_view summary) {
  std::string upper = page;
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? char(c - 32) : c; });
  return fmt::format(".TH {} 1 \"\" \"qcbak {}\" \"{}\"\n.SH {}\n{} \\- {}\n", troff(upper), QCBAK_VERSION,
                     tr("qcbak manual"), tr("NAME"), troff(page), troff(tr(summary)));
}

std::string synopsis(const Program& program, const Command& command) {
  std::string text = fmt::format("\\fB{}\\fR", troff(fmt::format("{} {}", program.name, command.name)));
  if (!command.options.empty()) text += fmt::format(" [\\fI{}\\fR]", tr("OPTIONS"));
  if (!command.operands.shown.empty()) text += fmt::format(" \\fI{}\\fR", troff(command.operands.shown));
  return text + "\n.br\n";
}

// Of verbs that have nouns.
std::string_view summary_of_group(std::string_view verb) {
  constexpr Term kGroups[] = {
      {"audit", "Show the log of what was done, and check that nobody altered it"},
      {"config", "Check and show the daemon's configuration"},
      {"job", "Run the daemon's jobs, and see what came of them"},
      {"key", "Manage who holds keys"},
      {"plan", "Submit, see and approve the plan that backups run to"},
      {"user", "Manage people and the keys they sign with"},
      {"wipe", "Overwrite disks that leave the building, and certify it"},
  };
  for (const Term& group : kGroups)
    if (group.term == verb) return group.meaning;
  check(false, "each group of commands has a summary");
  return "";
}

std::string man_of_verb(const Program& program, std::string_view verb) {
  const std::vector<const Command*> commands = commands_of(program, verb);
  if (commands.empty()) throw Error(ErrorCode::usage, say("there is no command \"{}\"", verb));
  const bool group = commands.size() > 1;
  std::string out = man_head(fmt::format("{}-{}", program.name, verb),
                             group ? summary_of_group(verb) : commands.front()->summary);
  out += fmt::format(".SH {}\n", tr("SYNOPSIS"));
  for (const Command* command : commands) out += synopsis(program, *command);
  out += fmt::format(".SH {}\n", tr("DESCRIPTION"));
  for (const Command* command : commands) {
    if (group) out += fmt::format(".SS {}\n", troff(command->name));
    out += fmt::format("{}\n", troff(tr(command->description)));
    if (group) out += option_terms(command->options);
  }
  out += fmt::format(".SH {}\n", tr("OPTIONS"));
  if (!group) out += option_terms(commands.front()->options);
  out += fmt::format(".SS {}\n{}", tr("Common options"), option_terms(common_options(*commands.front())));
  out += fmt::format(".SH {}\n", tr("EXAMPLES"));
  for (const Command* command : commands) out += man_examples(command->examples);
  out += term_section(tr("EXIT STATUS"), kExitCodes);
  out += term_section(tr("ENVIRONMENT"), kEnvironment);
  out += fmt::format(".SH {}\n\\fB{}\\fR(1)", tr("SEE ALSO"), troff(program.name));
  for (const std::string_view other : verbs(program))
    if (other != verb) out += fmt::format(", \\fB{}\\fR(1)", troff(fmt::format("{}-{}", program.name, other)));
  return out;
}

// `all`: the commands are on this page, because they have none of their own.
std::string man_of_program(const Program& program, bool all) {
  std::string out = man_head(std::string(program.name), program.summary);
  out += fmt::format(".SH {}\n\\fB{}\\fR \\fI{}\\fR [\\fI{}\\fR]\n", tr("SYNOPSIS"), troff(program.name), tr("COMMAND"),
                     tr("OPTIONS"));
  out += fmt::format(".SH {}\n{}\n", tr("DESCRIPTION"), troff(tr(program.description)));
  out += fmt::format(".SH {}\n", tr("COMMANDS"));
  for (const Command& command : program.commands) {
    if (first_word(command.name) == kInternal) continue;
    if (!all) {
      out += fmt::format(".TP\n\\fB{}\\fR\n{}.\n", troff(command.name), troff(tr(command.summary)));
      continue;
    }
    out += fmt::format(".SS {}\n{}{}\n{}", troff(command.name), synopsis(program, command),
                       troff(tr(command.description)), option_terms(command.options));
  }
  std::vector<Option> common = repository_options();
  common.insert(common.end(), output_options().begin(), output_options().end());
  out += fmt::format(".SH {}\n{}", tr("OPTIONS"), option_terms(common));
  out += fmt::format(".SH {}\n{}", tr("EXAMPLES"), man_examples(program.examples));
  out += term_section(tr("EXIT STATUS"), kExitCodes);
  out += term_section(tr("ENVIRONMENT"), kEnvironment);
  out += fmt::format(".SH {}\n", tr("SEE ALSO"));
  if (all) {
    out += "\\fBqcbak\\fR(1), \\fBqcbak\\-restore\\fR(1)";
  } else {
    bool first = true;
    for (const std::string_view verb : verbs(program)) {
      out += fmt::format("{}\\fB{}\\fR(1)", first ? "" : ", ", troff(fmt::format("{}-{}", program.name, verb)));
      first = false;
    }
  }
  return out;
}

// ---- Completions.

std::string option_words(const std::vector<Option>& options) {
  std::string words;
  for (const Option& option : options) words += fmt::format("{}--{}", words.empty() ? "" : " ", option.name);
  return words;
}

std::vector<Option> all_options(const Command& command) {
  std::vector<Option> options = command.options;
  for (const Option& option : common_options(command)) options.push_back(option);
  return options;
}

bool wants_file(std::string_view value) {
  return value == "FILE" || value == "DIR" || value == "REPO" || value == "PLACE" || value == "PATH";
}

std::string bash_completion(const Program& program) {
  std::string cases;
  std::string second_words;
  std::string words;
  for (const std::string_view verb : verbs(program)) {
    words += fmt::format("{}{}", words.empty() ? "" : " ", verb);
    std::string nouns;
    for (const Command* command : commands_of(program, verb)) {
      const bool noun = command->name != verb;
      if (noun) nouns += fmt::format("{}{}", nouns.empty() ? "" : " ", command->name.substr(verb.size() + 1));
      cases += fmt::format("    '{}') options='{}' ;;\n", command->name, option_words(all_options(*command)));
    }
    if (!nouns.empty()) second_words += fmt::format("    {}) nouns='{}' ;;\n", verb, nouns);
  }
  std::string file_options;
  for (const Command& command : program.commands)
    for (const Option& option : all_options(command))
      if (wants_file(option.value) && file_options.find(fmt::format("--{}|", option.name)) == std::string::npos)
        file_options += fmt::format("--{}|", option.name);
  return fmt::format(R"sh(# bash completion for {0}; written by `{0} internal completion bash`
_{1}() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} word verb= noun= nouns= options=
  COMPREPLY=()
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case $word in
      -*) ;;
      *) if [[ -z $verb ]]; then verb=$word; elif [[ -z $noun ]]; then noun=$word; fi ;;
    esac
  done
  if [[ -z $verb ]]; then
    mapfile -t COMPREPLY < <(compgen -W '{2} --help --version' -- "$current")
    return
  fi
  case $verb in
{3}  esac
  if [[ -n $nouns ]]; then
    if [[ -z $noun ]]; then
      mapfile -t COMPREPLY < <(compgen -W "$nouns --help" -- "$current")
      return
    fi
    verb+=" $noun"
  fi
  case $verb in
{4}  esac
  case $previous in
    {5}-o) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
  elif [[ $verb == backup ]]; then
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -W latest -- "$current")
  fi
}}
complete -F _{1} {0})sh",
                     program.name, "qcbak", words, second_words, cases, file_options);
}

// Text inside single quotes, in brackets: what zsh's _arguments would take for its own signs is escaped.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'')
      out += "'\\''";
    else if (c == '[' || c == ']' || c == ':' || c == '\\')
      out += std::string("\\") + c;
    else
      out += c;
  }
  return out;
}

std::string zsh_completion(const Program& program) {
  std::string out = fmt::format(
      "#compdef {0}\n# zsh completion for {0}; written by `{0} internal completion zsh`\n_qcbak() {{\n  local -a "
      "verbs\n  verbs=(\n",
      program.name);
  for (const std::string_view verb : verbs(program)) {
    const std::vector<const Command*> commands = commands_of(program, verb);
    const std::string_view summary =
        commands.size() > 1 ? std::string_view("Manage who holds keys") : commands.front()->summary;
    out += fmt::format("    '{}:{}'\n", verb, zsh_text(tr(summary)));
  }
  out += "  )\n  if (( CURRENT == 2 )); then\n    _describe command verbs\n    return\n  fi\n  case ${words[2]} in\n";
  for (const std::string_view verb : verbs(program)) {
    const std::vector<const Command*> commands = commands_of(program, verb);
    out += fmt::format("    {})\n", verb);
    std::vector<Option> options;
    if (commands.front()->name != verb) {
      out += "      if (( CURRENT == 3 )); then\n        compadd";
      for (const Command* command : commands) out += fmt::format(" {}", command->name.substr(verb.size() + 1));
      out += "\n        return\n      fi\n";
    }
    for (const Command* command : commands)
      for (const Option& option : all_options(*command))
        if (std::none_of(options.begin(), options.end(),
                         [&](const Option& known) { return known.name == option.name; }))
          options.push_back(option);
    out += "      _arguments";
    for (const Option& option : options) {
      const std::string repeat = option.times == Option::Times::many ? "*" : "";
      std::string value;
      if (!option.value.empty())
        value = fmt::format(":{}:{}", zsh_text(option.value), wants_file(option.value) ? "_files" : "");
      out += fmt::format(" \\\n        '{}--{}[{}]{}'", repeat, option.name, zsh_text(tr(option.help)), value);
    }
    out += " \\\n        '*:argument:_files' ;;\n";
  }
  out += "  esac\n}\n_qcbak \"$@\"";
  return out;
}

std::string fish_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string fish_completion(const Program& program) {
  std::string out = fmt::format("# fish completion for {0}; written by `{0} internal completion fish`\n", program.name);
  for (const std::string_view verb : verbs(program)) {
    const std::vector<const Command*> commands = commands_of(program, verb);
    const std::string_view summary =
        commands.size() > 1 ? std::string_view("Manage who holds keys") : commands.front()->summary;
    out += fmt::format("complete -c {} -n __fish_use_subcommand -f -a {} -d '{}'\n", program.name, verb,
                       fish_text(tr(summary)));
    for (const Command* command : commands) {
      std::string condition = fmt::format("__fish_seen_subcommand_from {}", verb);
      if (command->name != verb) {
        const std::string_view noun = command->name.substr(verb.size() + 1);
        out += fmt::format("complete -c {} -n '{}' -f -a {} -d '{}'\n", program.name, condition, noun,
                           fish_text(tr(command->summary)));
        condition += fmt::format("; and __fish_seen_subcommand_from {}", noun);
      }
      for (const Option& option : all_options(*command)) {
        out += fmt::format("complete -c {} -n '{}' -l {}", program.name, condition, option.name);
        if (option.letter != 0) out += fmt::format(" -s {}", option.letter);
        if (!option.value.empty()) out += wants_file(option.value) ? " -r" : " -x";
        out += fmt::format(" -d '{}'\n", fish_text(tr(option.help)));
      }
    }
  }
  out.pop_back();
  return out;
}

ExitCode run_verbs(const Invocation& invocation) {
  for (const std::string_view verb : verbs(invocation.program)) invocation.output.line(verb);
  return ExitCode::done;
}

ExitCode run_man(const Invocation& invocation) {
  const std::vector<std::string>& operands = invocation.arguments.operands();
  const bool recover = invocation.program.name != "qcbak";
  invocation.output.line(operands.empty() ? man_of_program(invocation.program, recover)
                                          : man_of_verb(invocation.program, operands.front()));
  return ExitCode::done;
}

ExitCode run_completion(const Invocation& invocation) {
  const std::string& shell = invocation.arguments.operands().front();
  if (shell == "bash")
    invocation.output.line(bash_completion(invocation.program));
  else if (shell == "zsh")
    invocation.output.line(zsh_completion(invocation.program));
  else if (shell == "fish")
    invocation.output.line(fish_completion(invocation.program));
  else
    throw Error(ErrorCode::usage, say("there is no completion for \"{}\"", shell))
        .with_hint(say("choose one of: {}", "bash, zsh, fish"));
  return ExitCode::done;
}

}  // namespace

void add_internal_commands(Program& program) {
  program.commands.push_back({.name = "internal verbs",
                              .summary = "List the verbs, one a line",
                              .description = "For the build.",
                              .examples = {{"qcbak internal verbs", "all verbs"}},
                              .run = run_verbs,
                              .common = Command::Common::output_only});
  program.commands.push_back({.name = "internal man",
                              .summary = "Write a manual page",
                              .description = "For the build.",
                              .operands = {"[VERB]", 0, 1},
                              .examples = {{"qcbak internal man restore | man -l -", "reads a page"}},
                              .run = run_man,
                              .common = Command::Common::output_only});
  program.commands.push_back({.name = "internal completion",
                              .summary = "Write completions for a shell",
                              .description = "For the build.",
                              .operands = {"bash|zsh|fish", 1, 1},
                              .examples = {{"source <(qcbak internal completion bash)", "in a running shell"}},
                              .run = run_completion,
                              .common = Command::Common::output_only});
}

}  // namespace qcbak::cli
