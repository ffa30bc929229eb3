#include "cli/parse.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/nearest.h"
#include "cli/messages.h"
#include "cli/text.h"

namespace qcbak::cli {
namespace {

constexpr const char* kOperands = "operands";

std::string first_word(std::string_view text) { return std::string(text.substr(0, text.find(' '))); }
std::string second_word(std::string_view text) {
  const std::size_t space = text.find(' ');
  return space == std::string_view::npos ? "" : std::string(text.substr(space + 1));
}

class Parser {
 public:
  explicit Parser(const Program& program) : program_(program) {
    prepare(root_);
    root_.add_flag("--version,-V");
    root_.require_subcommand(0, 1);
    std::vector<Option> everywhere = repository_options();
    everywhere.insert(everywhere.end(), output_options().begin(), output_options().end());
    add_options(root_, everywhere);
    for (const Command& command : program.commands) add_command(command);
  }

  Parsed parse(int argc, const char* const* argv) {
    std::vector<std::string> words;
    for (int i = argc - 1; i > 0; --i) words.emplace_back(argv[i]);  // CLI11 takes them from the back
    try {
      root_.parse(words);
    } catch (const CLI::ArgumentMismatch& mismatch) {
      std::string option = first_word(mismatch.what());
      if (option.ends_with(':')) option.pop_back();
      throw Error(ErrorCode::usage, say("{} wants a value", option)).with_hint(see_help(typed()));
    } catch (const CLI::ParseError& error) {
      throw Error(ErrorCode::usage, error.what()).with_hint(see_help(typed()));
    }
    return take();
  }

 private:
  static void prepare(CLI::App& app) {
    app.set_help_flag();
    app.allow_extras();
  }

  static void add_options(CLI::App& app, const std::vector<Option>& options) {
    for (const Option& option : options) {
      std::string names = "--" + std::string(option.name);
      if (option.letter != 0) names += std::string(",-") + option.letter;
      if (option.value.empty()) {
        app.add_flag(names);
        continue;
      }
      // A value is what it is: without this "[a]" would be read as a list.
      app.add_option(names)->expected(1)->allow_extra_args(false)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    }
  }

  CLI::App& app_of(const std::string& name, CLI::App& above) {
    for (CLI::App* there : above.get_subcommands([](CLI::App*) { return true; }))
      if (there->get_name() == name) return *there;
    CLI::App* app = above.add_subcommand(name);
    prepare(*app);
    app->fallthrough();
    return *app;
  }

  void add_command(const Command& command) {
    CLI::App& first = app_of(first_word(command.name), root_);
    const std::string second = second_word(command.name);
    if (!second.empty()) first.require_subcommand(0, 1);
    CLI::App& app = second.empty() ? first : app_of(second, first);
    add_options(app, command.options);
    if (command.operands.most == 0) return;
    // So many are expected, and fewer accepted: the only way to have CLI11 take operands as they are.
    app.add_option(kOperands)
        ->expected(static_cast<int>(Operands::kAny))
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }

  // The words of the command that were recognised: "key add".
  std::string typed() const {
    std::string name;
    for (const CLI::App* app = &root_; !app->get_subcommands().empty();) {
      app = app->get_subcommands().front();
      name += (name.empty() ? "" : " ") + app->get_name();
    }
    return name;
  }

  const Command* find(std::string_view name) const {
    for (const Command& command : program_.commands)
      if (command.name == name) return &command;
    return nullptr;
  }

  std::string see_help(const std::string& command) const {
    return say("see: {} --help", std::string(program_.name) + (command.empty() ? "" : " " + command));
  }

  Parsed take() {
    Parsed parsed;
    const std::string name = typed();
    parsed.help = root_.count("--help") > 0;
    parsed.version = root_.count("--version") > 0;
    parsed.help_on = name;
    if (parsed.version) return parsed;
    parsed.command = find(name);
    if (parsed.help && (parsed.command != nullptr || root_.remaining(true).empty())) return parsed;
    if (parsed.command == nullptr) refuse_command(name);
    refuse_extras(*parsed.command);
    fill(parsed);
    return parsed;
  }

  [[noreturn]] void refuse_command(const std::string& group) {
    std::vector<std::string> names;
    for (const Command& command : program_.commands) {
      if (group.empty())
        names.push_back(first_word(command.name));
      else if (first_word(command.name) == group)
        names.push_back(second_word(command.name));
    }
    std::vector<std::string> extras = root_.remaining(true);
    if (extras.empty()) {
      throw Error(ErrorCode::usage, group.empty() ? std::string(tr("no command was given"))
                                                  : say("\"{}\" wants a further word: {}", group, joined(names)))
          .with_hint(see_help(group));
    }
    const std::string word = extras.front();
    const std::string whole = group.empty() ? word : group + " " + word;
    if (std::find(program_.later.begin(), program_.later.end(), whole) != program_.later.end())
      throw Error(ErrorCode::usage, say("\"{}\" is not in this version", whole)).with_hint(see_help(group));
    if (word.starts_with("-")) refuse_option(word, known_options(nullptr), group);
    const std::string suggestion = nearest(word, names);
    throw Error(ErrorCode::usage, say("there is no command \"{}\"", one_line(whole)))
        .with_hint(suggestion.empty() ? see_help(group)
                                      : say("did you mean: {}?", std::string(program_.name) + " " +
                                                                     (group.empty() ? "" : group + " ") + suggestion));
  }

  static std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
    return text;
  }

  static std::vector<std::string> known_options(const Command* command) {
    std::vector<std::string> names;
    const auto take_names = [&](const std::vector<Option>& options) {
      for (const Option& option : options) names.push_back("--" + std::string(option.name));
    };
    if (command != nullptr) {
      take_names(command->options);
      take_names(common_options(*command));
    } else {
      take_names(repository_options());
      take_names(output_options());
    }
    return names;
  }

  [[noreturn]] void refuse_option(const std::string& word, const std::vector<std::string>& known,
                                  const std::string& command) {
    const std::string option = word.substr(0, word.find('='));
    const std::string suggestion = nearest(option, known);
    throw Error(ErrorCode::usage, say("there is no option {}", one_line(option)))
        .with_hint(suggestion.empty() ? see_help(command) : say("did you mean: {}?", suggestion));
  }

  void refuse_extras(const Command& command) {
    std::vector<std::string> extras = root_.remaining(true);
    std::erase(extras, "--");
    if (extras.empty()) return;
    for (const std::string& word : extras) {
      if (!word.starts_with("-")) continue;
      const std::string option = word.substr(0, word.find('='));
      if (std::find(command.later.begin(), command.later.end(),
                    option.substr(std::min<std::size_t>(2, option.size()))) != command.later.end())
        throw Error(ErrorCode::usage, say("{} is not in this version", option))
            .with_hint(see_help(std::string(command.name)));
      refuse_option(word, known_options(&command), std::string(command.name));
    }
    throw Error(ErrorCode::usage, say("one argument too many: \"{}\"", one_line(extras.front())))
        .with_hint(see_help(std::string(command.name)));
  }

  // Of its own, by a name that an option of the repository may have too.
  static bool has_option(const Command& command, std::string_view name) {
    return std::any_of(command.options.begin(), command.options.end(), [&](const Option& each) { return each.name == name; });
  }

  void fill(Parsed& parsed) {
    const Command& command = *parsed.command;
    CLI::App* app = root_.get_subcommand(first_word(command.name));
    if (const std::string second = second_word(command.name); !second.empty()) app = app->get_subcommand(second);
    const auto take_values = [&](CLI::App& from, const std::vector<Option>& options) {
      for (const Option& option : options) {
        parsed.arguments.declare(option.name);
        const CLI::Option* given = from.get_option("--" + std::string(option.name));
        if (given->count() == 0) continue;
        parsed.arguments.set(option.name, option.value.empty() ? std::vector<std::string>{"yes"} : given->results());
      }
    };
    take_values(root_, repository_options());
    take_values(root_, output_options());
    take_values(*app, command.options);
    if (command.common == Command::Common::output_only)
      for (const Option& option : repository_options())
        if (parsed.arguments.has(option.name) && !has_option(command, option.name))
          refuse_option("--" + std::string(option.name), known_options(&command), std::string(command.name));
    std::vector<std::string> operands;
    if (command.operands.most > 0) operands = app->get_option(kOperands)->results();
    if (operands.size() < command.operands.least)
      throw Error(ErrorCode::usage, say("\"{}\" wants {}", command.name, command.operands.shown))
          .with_hint(see_help(std::string(command.name)));
    if (operands.size() > command.operands.most)
      throw Error(ErrorCode::usage, say("one argument too many: \"{}\"", one_line(operands[command.operands.most])))
          .with_hint(see_help(std::string(command.name)));
    parsed.arguments.set_operands(std::move(operands));
  }

  const Program& program_;
  CLI::App root_;
};

}  // namespace

Parsed parse(const Program& program, int argc, const char* const* argv) { return Parser(program).parse(argc, argv); }

bool asks_for_json(int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--") return false;
    if (std::string_view(argv[i]) == "--json") return true;
  }
  return false;
}

}  // namespace qcbak::cli
