#include "cli/program.h"

#include <clocale>
#include <new>

#include "base/error.h"
#include "cli/help.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "cli/signals.h"
#include "crypto/secret.h"

namespace qcbak::cli {
namespace {

ExitCode run_command(const Program& program, const Parsed& parsed, Output& output, std::stop_token stop) {
  if (parsed.version) {
    if (output.json())
      output.document({{"program", program.name}, {"version", QCBAK_VERSION}});
    else
      output.line(fmt::format("{} {}", program.name, QCBAK_VERSION));
    return ExitCode::done;
  }
  if (parsed.help) {
    std::string text = help_text(program, parsed.help_on);
    text.pop_back();
    output.line(text);
    return ExitCode::done;
  }
  crypto::initialize();
  const SystemClock clock;
  SystemRandom random;
  return parsed.command->run({program, parsed.arguments, output, clock, random, std::move(stop)});
}

}  // namespace

int run_program(const Program& program, int argc, const char* const* argv) {
  set_language(language_of_environment());
  const StopSignals signals;
  Output output(program.name, signals.token());
  output.choose(asks_for_json(argc, argv), false, false);
  try {
    const Parsed parsed = parse(program, argc, argv);
    if (!parsed.help && !parsed.version)
      output.choose(parsed.arguments.has("json"), parsed.arguments.has("quiet"), !parsed.arguments.has("no-progress"));
    const ExitCode code = run_command(program, parsed, output, signals.token());
    output.flush();
    return static_cast<int>(code);
  } catch (const OutputClosed&) {
    return static_cast<int>(ExitCode::done);
  } catch (const Error& error) {
    try {
      output.flush();
    } catch (...) {
      // The first error is the one to tell.
    }
    output.error(error);
    return error.exit_code();
  } catch (const std::bad_alloc&) {
    output.error(Error(ErrorCode::failed, std::string(tr("not enough memory")))
                     .with_hint(std::string(tr("free some, or use fewer threads: --threads 1"))));
  } catch (const std::exception&) {
    output.error(
        Error(ErrorCode::failed, std::string(tr("something failed that was not foreseen")))
            .with_hint(std::string(tr("try again; if it stays, report the command and the repository's state"))));
  }
  return static_cast<int>(ExitCode::failed);
}

}  // namespace qcbak::cli
