// qcbakd: reads the command line, and puts the appliance together.
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/config.h"
#include "crypto/secret.h"
#include "daemon/appliance.h"
#include "daemon/child.h"
#include "daemon/delivery.h"
#include "daemon/gateway.h"
#include "daemon/manual.h"
#include "daemon/message_log.h"
#include "daemon/work.h"

namespace {

using namespace qcbak;

constexpr int kUsage = 2;

constexpr std::string_view kHelp =
    "Usage: qcbakd [--config FILE] [--check-config | --send-test | --gateway]\n"
    "\n"
    "Runs the backup jobs of the configuration, by schedule and by change, in the foreground.\n"
    "\n"
    "  --config FILE    the configuration (QCBAK_CONFIG; /etc/qcbak/qcbak.toml)\n"
    "  --check-config   says whether it is good, and ends\n"
    "  --send-test      sends a test message to everybody in [[notify]], says what came of it, and ends\n"
    "  --gateway        listens at [serve] listen, and passes what comes over TLS to the daemon; a process of its own\n"
    "  --gateway-user NAME  the user that this process is, when it is not the daemon's\n"
    "  --workers SOCKET have workers started at this socket, with rights that the daemon does not have\n"
    "  --messengers SOCKET  have messengers started at this socket, with the network that the daemon does not have\n"
    "  -h, --help       this text\n"
    "  --version        the version\n"
    "\n"
    "Signals: SIGTERM and SIGINT stop it, SIGHUP reads the configuration again.\n"
    "\n"
    "Example: qcbakd --config /etc/qcbak/qcbak.toml\n";

void print(std::string_view text) {
  [[maybe_unused]] const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
}

struct Asked {
  std::string config = "/etc/qcbak/qcbak.toml";
  bool config_named = false;
  std::string workers, messengers, orders_from, gateway_user;
  enum class What { serve, check_config, send_test, gateway, help, version, work, messenger, manual, config_manual } what = What::serve;
};

Asked parse(const std::vector<std::string>& arguments) {
  Asked asked;
  if (const char* named = std::getenv("QCBAK_CONFIG"); named != nullptr && *named != '\0') asked.config = named;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const std::size_t equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    if (name == "--config" || name == "--workers" || name == "--messengers" || name == "--orders-from" || name == "--gateway-user") {
      if (equals == std::string::npos && i + 1 == arguments.size())
        throw Error(ErrorCode::usage, name + " wants a value").with_hint("see qcbakd --help");
      const std::string value = equals == std::string::npos ? arguments[++i] : argument.substr(equals + 1);
      if (name == "--workers") asked.workers = value;
      else if (name == "--messengers") asked.messengers = value;
      else if (name == "--gateway-user") asked.gateway_user = value;
      else if (name == "--orders-from") asked.orders_from = value;  // with --messenger
      else asked.config = value, asked.config_named = true;
    }
    else if (argument == "--check-config") asked.what = Asked::What::check_config;
    else if (argument == "--send-test") asked.what = Asked::What::send_test;
    else if (argument == "--gateway") asked.what = Asked::What::gateway;
    else if (argument == "--help" || argument == "-h") asked.what = Asked::What::help;
    else if (argument == "--version") asked.what = Asked::What::version;
    else if (argument == "--manual") asked.what = Asked::What::manual;  // for the build
    else if (argument == "--config-manual") asked.what = Asked::What::config_manual;
    else if (argument == "--worker") asked.what = Asked::What::work;  // started by the daemon
    else if (argument == "--messenger") asked.what = Asked::What::messenger;
    else throw Error(ErrorCode::usage, "\"" + argument + "\" is not an option").with_hint("see qcbakd --help");
  }
  return asked;
}

int run(const Asked& asked) {
  switch (asked.what) {
    case Asked::What::help: print(kHelp); return 0;
    case Asked::What::version: print("qcbakd " QCBAK_VERSION "\n"); return 0;
    case Asked::What::manual: print(daemon::manual_of_daemon()); return 0;
    case Asked::What::config_manual: print(daemon::manual_of_configuration()); return 0;
    case Asked::What::work: return daemon::work(daemon::kSocketOfChild, asked.config_named ? asked.config : "");
    case Asked::What::messenger:
      std::signal(SIGPIPE, SIG_IGN);
      return daemon::run_messenger(daemon::kSocketOfChild, asked.config_named ? asked.config : "", asked.orders_from);
    case Asked::What::gateway:
      crypto::initialize();
      std::signal(SIGPIPE, SIG_IGN);
      daemon::run_gateway(asked.config);
      return 0;
    case Asked::What::send_test:
      crypto::initialize();
      std::signal(SIGPIPE, SIG_IGN);
      return daemon::send_test(config::read(asked.config)) ? 0 : 1;
    case Asked::What::check_config: {
      const config::Config config = config::read(asked.config);
      print(config.file + " is good; jobs: " + std::to_string(config.jobs.size()) + "\n");
      return 0;
    }
    case Asked::What::serve: break;
  }
  crypto::initialize();
  std::signal(SIGPIPE, SIG_IGN);
  daemon::Appliance appliance(config::read(asked.config), {asked.workers, asked.messengers, asked.gateway_user});
  appliance.run();
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    return run(parse({arguments + 1, arguments + count}));
  } catch (const Error& error) {
    std::string text = error.what();
    if (!error.hint().empty()) text += "; " + error.hint();
    daemon::say(daemon::Level::error, text);
    return error.code() == ErrorCode::usage ? kUsage : error.exit_code();
  } catch (const std::exception& error) {
    daemon::say(daemon::Level::error, error.what());
    return 1;
  }
}
