#include "daemon/manual.h"

#include <string_view>

#include "config/config.h"

namespace qcbak::daemon {
namespace {

std::string troff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') out += "\\e";
    else if (c == '-') out += "\\-";
    else if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) out += std::string("\\&") + c;
    else out += c;
  }
  return out;
}

std::string head(std::string_view page, int section, std::string_view summary) {
  return ".TH " + troff(page) + " " + std::to_string(section) + " \"\" \"qcbak " QCBAK_VERSION "\" \"qcbak manual\"\n.SH NAME\n" +
         troff(page) + " \\- " + troff(summary) + "\n";
}

std::string term(std::string_view name, std::string_view meaning) {
  return ".TP\n\\fB" + troff(name) + "\\fR\n" + troff(meaning) + "\n";
}

}  // namespace

std::string manual_of_daemon() {
  std::string page = head("qcbakd", 8, "run backup jobs by schedule and by change");
  page += ".SH SYNOPSIS\n\\fBqcbakd\\fR [\\fB\\-\\-config\\fR \\fIFILE\\fR] [\\fB\\-\\-workers\\fR \\fISOCKET\\fR] [\\fB\\-\\-messengers\\fR \\fISOCKET\\fR]\n.br\n"
          "\\fBqcbakd \\-\\-check\\-config\\fR [\\fB\\-\\-config\\fR \\fIFILE\\fR]\n.br\n"
          "\\fBqcbakd \\-\\-send\\-test\\fR [\\fB\\-\\-config\\fR \\fIFILE\\fR]\n.br\n"
          "\\fBqcbakd \\-\\-gateway\\fR [\\fB\\-\\-config\\fR \\fIFILE\\fR]\n";
  page += ".SH DESCRIPTION\n" +
          troff("Backs up what the jobs of qcbak.toml(5) name, when their schedules say, when something changed, and on request, and keeps what "
                "their retention says. It runs in the foreground and writes what it does to standard error; once it serves, it says "
                "\"qcbakd: ready\". While it runs, nobody else writes to its repository. It needs only the write credential, with which nothing that "
                "is stored can be read.") +
          "\n.PP\n" +
          troff("Every run is remembered before anything is done for it: however the daemon ends, the next one knows what became of the run, and "
                "goes on.") +
          "\n.SH OPTIONS\n" + term("--config FILE", "The configuration; QCBAK_CONFIG, or /etc/qcbak/qcbak.toml, without it.") +
          term("--check-config", "Say whether it is good, and end.") +
          term("--send-test", "Send a test message to everybody in [[notify]] from this process, say what came of each, and end: with 0 when all have "
                              "arrived, else with 1. A password that systemd passes to messengers is not there for it: run it where the file can be read.") +
          term("--gateway", "Be the way in from the network, and no more: listen at the address that [serve] names, end TLS 1.3 there, and pass what comes, "
                            "unread, to the daemon that runs as another process. Once it serves, it says \"qcbakd: ready\". SIGHUP has it read the configuration, "
                            "the certificate and the key again; with a wrong one the old ones stay.") +
          term("--gateway-user NAME", "The user that the gateway runs as. Without it, that is the daemon's own user. Root is always let in.") +
          term("--workers SOCKET", "Have each run done by a worker that systemd starts for a connection to this socket, with rights that the daemon "
                                   "does not have. Without it, workers are the daemon's own processes.") +
          term("--messengers SOCKET", "Have each message sent by a messenger that systemd starts for a connection to this socket, with the network "
                                      "that the daemon does not have. Without it, messengers are the daemon's own processes.") +
          term("--help, --version", "What they say.");
  page += ".SH SIGNALS\n" + term("SIGHUP", "Read the configuration again. One that is wrong leaves everything as it is.") +
          term("SIGTERM, SIGINT", "Stop: runs in work end without a commit, and go on the next time.");
  page += ".SH EXIT STATUS\n" + term("0", "It was stopped.") + term("1", "It failed.") +
          term("2", "The configuration or the command line is wrong.") + term("10", "There is no repository.") +
          term("11", "Another daemon, or another writer, has the repository.") + term("12", "The credential does not open it.");
  page += ".SH FILES\n" + term("/etc/qcbak/qcbak.toml", "The configuration.") +
          term("/var/lib/qcbak/state.db", "Jobs, runs, and messages that wait. Made anew from the repository when it is damaged or gone.") +
          term("/run/qcbak/qcbak.sock", "Where commands reach it.") +
          term("/run/qcbak/gateway.sock", "Where the gateway does.");
  page += ".SH SEE ALSO\n" + troff("qcbak.toml(5), qcbak-status(1), qcbak-job(1), qcbak-audit(1), qcbak(1)") + "\n";
  return page;
}

std::string manual_of_configuration() {
  std::string page = head("qcbak.toml", 5, "configuration of the qcbak daemon");
  page += ".SH DESCRIPTION\n" +
          troff("A file of TOML. [repository] and one [[job]] are enough. Unknown settings and impossible values are errors, named with their line; "
                "\"qcbak config check\" finds them, and \"qcbak config show\" says what counts and where it comes from. Times are written as 30s, 15min, "
                "90d, 24months.") +
          "\n";
  std::string section;
  for (const config::OptionRow& row : config::option_table()) {
    if (row.section != section) {
      section = row.section;
      page += ".SH " + troff(section == "job" || section == "notify" ? "[[" + section + "]]" : "[" + section + "]") + "\n";
    }
    page += ".TP\n\\fB" + troff(row.name) + "\\fR = \\fI" + troff(row.type) + "\\fR\n" + troff(row.help);
    if (!row.fallback.empty()) page += troff(". Without it: " + std::string(row.fallback));
    page += ".\n";
  }
  page += ".SH EXAMPLE\n.nf\n" +
          troff("[repository]\nlocation   = \"/var/lib/qcbak/repository\"\ncredential = \"qcbak.write\"\n\n[[job]]\nname      = \"etc\"\n"
                "source    = { files = [\"/etc\"], exclude = [\"*.swp\"] }\nschedule  = \"daily\"\non_change = true\n"
                "retention = { last = 10, monthly = 24 }\n") +
          ".fi\n.SH SEE ALSO\n" + troff("qcbakd(8), qcbak-config(1), systemd.time(7)") + "\n";
  return page;
}

}  // namespace qcbak::daemon
