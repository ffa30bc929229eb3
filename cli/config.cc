// qcbak config check, qcbak config show
#include "config/config.h"

#include <cstdlib>

#include "cli/command.h"
#include "cli/messages.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/text.h"

namespace qcbak::cli {
namespace {

constexpr const char* kDefaultFile = "/etc/qcbak/qcbak.toml";

config::Config read(const Invocation& invocation) {
  if (!invocation.arguments.operands().empty()) return config::read(invocation.arguments.operands().front());
  const char* named = std::getenv("QCBAK_CONFIG");
  return config::read(named != nullptr && *named != '\0' ? named : kDefaultFile);
}

ExitCode run_check(const Invocation& invocation) {
  const config::Config config = read(invocation);
  Output& output = invocation.output;
  if (output.json()) output.document({{"file", config.file}, {"jobs", config.jobs.size()}});
  else if (!output.quiet()) output.line(say("{} is good; jobs: {}", printable(config.file), config.jobs.size()));
  return ExitCode::done;
}

ExitCode run_show(const Invocation& invocation) {
  const config::Config config = read(invocation);
  Output& output = invocation.output;
  if (output.json()) {
    Json settings = Json::array();
    for (const config::Setting& setting : config.settings)
      settings.push_back({{"setting", setting.path},
                          {"value", setting.value},
                          {"line", setting.line > 0 ? Json(setting.line) : Json(nullptr)}});
    output.document({{"file", config.file}, {"settings", std::move(settings)}});
    return ExitCode::done;
  }
  for (const config::Setting& setting : config.settings)
    output.line(printable(setting.path) + " = " + printable(setting.value) + "  # " +
                (setting.line > 0 ? printable(config.file) + ":" + std::to_string(setting.line)
                                  : std::string(tr("the default"))));
  return ExitCode::done;
}

}  // namespace

Command config_check_command() {
  return {
      .name = "config check",
      .summary = "Check the configuration of the daemon",
      .description =
          "Reads the configuration file (QCBAK_CONFIG, or /etc/qcbak/qcbak.toml) as the daemon would. What is wrong with it is said "
          "with its line and, for a setting that does not exist, the one that was probably meant; the exit code is 2.",
      .operands = {"[FILE]", 0, 1},
      .examples = {{"qcbak config check", "before qcbakd is told to take it"}},
      .run = run_check,
      .common = Command::Common::output_only,
  };
}

Command config_show_command() {
  return {
      .name = "config show",
      .summary = "Show every setting and where it comes from",
      .description = "Prints each effective setting of the configuration file, with the line that gives it, or that it is the default.",
      .operands = {"[FILE]", 0, 1},
      .examples = {{"qcbak config show", "all that counts"}},
      .run = run_show,
      .common = Command::Common::output_only,
  };
}

}  // namespace qcbak::cli
