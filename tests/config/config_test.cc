#include "config/config.h"

#include <gmock/gmock.h>

#include <set>

#include "base/error.h"

namespace qcbak::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

constexpr const char* kLeast = "[repository]\nlocation = '/srv/repository'\npassword_file = '/etc/qcbak/password'\n";

Config with(const std::string& more) { return parse(kLeast + more, "qcbak.toml"); }

std::string refusal(const std::string& text) {
  try {
    parse(text, "qcbak.toml");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    return error.what() + (error.hint().empty() ? "" : "; " + error.hint());
  }
  return "taken";
}

TEST(Config, TheSmallestOneHasDefaults) {
  const Config config = with("[[job]]\nname = 'etc'\nsource = { files = ['/etc/'] }\n");
  EXPECT_EQ(config.daemon.state_dir, "/var/lib/qcbak");
  EXPECT_EQ(config.daemon.socket, "/run/qcbak/qcbak.sock");
  EXPECT_THAT(config.roles.at(UserRole::administrator), ElementsAre("root"));
  ASSERT_EQ(config.jobs.size(), 1U);
  const Job& job = config.jobs[0];
  EXPECT_THAT(job.source.paths, ElementsAre("/etc"));
  EXPECT_EQ(job.domain, "default");
  EXPECT_EQ(job.schedule->text(), "weekly");
  EXPECT_FALSE(job.on_change);
  EXPECT_EQ(job.retries, 3);
  EXPECT_EQ(job.retry_delay_ns, 60'000'000'000);
}

TEST(Config, SaysEverything) {
  const Config config = with(R"(
[daemon]
state_dir = "/tmp/state"
role = "replica"

[roles]
operator = ["lan", "@backup"]

[[job]]
name = "etc"
source = { files = ["/etc"], exclude = ["*.bak"], one_file_system = true }
labels = { kind = "config", importance = "critical" }
domain = "system"
schedule = "Sun 02:00"
on_change = true
debounce = "2s"
before = "sync"
retention = { last = 10, monthly = 24, lock = "180d" }

[[job]]
name = "srv"
source.files = ["/srv"]
schedule = "never"

[[job]]
name = "often"
source.files = ["/srv"]
labels.importance = "critical"
)");
  EXPECT_EQ(config.daemon.role, DaemonRole::replica);
  EXPECT_THAT(config.roles.at(UserRole::operating), ElementsAre("lan", "@backup"));
  const Job& etc = config.jobs.at(0);
  EXPECT_THAT(etc.source.exclude, ElementsAre("*.bak"));
  EXPECT_TRUE(etc.source.one_file_system);
  EXPECT_THAT(etc.labels, ElementsAre(Pair("importance", "critical"), Pair("kind", "config")));
  EXPECT_EQ(etc.schedule->text(), "Sun 02:00");
  EXPECT_EQ(etc.debounce_ns, 2'000'000'000);
  EXPECT_EQ(etc.retention.last, 10);
  EXPECT_EQ(etc.retention.monthly, 24);
  EXPECT_FALSE(etc.retention.daily);
  EXPECT_EQ(*etc.retention.lock_ns, 180 * 86'400'000'000'000);
  EXPECT_FALSE(config.jobs.at(1).schedule);
  EXPECT_EQ(config.jobs.at(2).schedule->text(), "hourly");
}

TEST(Config, SaysWhoIsTold) {
  const Config config = with(R"(
[[notify]]
email = "it@example.gov.vn"
smtp = "smtps://mail.example.gov.vn"
[[notify]]
email = ["a@b.vn", "c@d.vn"]
smtp = "smtp://[::1]:2525"
from = "qcbak@b.vn"
on = ["failure", "space"]
digest = "never"
language = "vi"
[[notify]]
webhook = "https://chat.example/hooks/abc?d=e"
[[notify]]
webhook = "https://chat.example/hooks/other"
[audit]
syslog = "tls://log.example.gov.vn:6514"
)");
  ASSERT_EQ(config.notify.size(), 4U);
  const Notify& first = config.notify[0];
  EXPECT_EQ(first.name, "it@example.gov.vn via smtps://mail.example.gov.vn");
  EXPECT_EQ(first.on.size(), kAlertKinds);
  EXPECT_EQ(first.digest->text(), "*-*-* 07:00");
  EXPECT_EQ(first.language, Language::english);
  const Notify& second = config.notify[1];
  EXPECT_THAT(second.emails, ElementsAre("a@b.vn", "c@d.vn"));
  EXPECT_EQ(second.smtp.host, "::1");
  EXPECT_EQ(second.smtp.port, 2525);
  EXPECT_EQ(second.smtp.authority(), "[::1]:2525");
  EXPECT_THAT(second.on, ElementsAre(AlertKind::failure, AlertKind::space));
  EXPECT_FALSE(second.digest);
  EXPECT_EQ(second.language, Language::vietnamese);
  EXPECT_EQ(config.notify[2].name, "https://chat.example");  // what follows may be a secret
  EXPECT_EQ(config.notify[3].name, "https://chat.example #2");
  EXPECT_EQ(config.audit.keep_ns, 720 * 86'400'000'000'000);
  EXPECT_EQ(config.audit.collector.scheme, "tls");
  EXPECT_EQ(config.audit.collector.port, 6514);
}

TEST(Config, SaysWherePeopleLogIn) {
  const Config off = with("");
  EXPECT_TRUE(off.serve.listen.empty());
  EXPECT_EQ(off.serve.certificate, "serve.certificate");
  EXPECT_EQ(off.serve.key, "serve.key");
  EXPECT_TRUE(off.serve.metrics_token.empty());
  EXPECT_EQ(gateway_socket(off), "/run/qcbak/gateway.sock");
  const Config on = with("[serve]\nlisten = '[fd00::5]:7421'\ncertificate = '/etc/a.pem'\nmetrics_token = 'metrics'\n");
  EXPECT_EQ(on.serve.listen, "[fd00::5]:7421");
  EXPECT_EQ(on.serve.address.host, "fd00::5");
  EXPECT_EQ(on.serve.address.port, 7421);
  EXPECT_EQ(on.serve.certificate, "/etc/a.pem");
  EXPECT_EQ(on.serve.metrics_token, "metrics");
  const Config longest = with("[daemon]\nsocket = '/" + std::string(100, 'r') + "/s'\n");  // nobody logs in: it need not fit
  EXPECT_EQ(gateway_socket(longest).size(), 114U);
}

TEST(Config, KnowsWhereEachValueComesFrom) {
  const Config config = with("[[job]]\nname = 'etc'\nsource = { files = ['/etc'] }\nretries = 5\nlabels.a = 'b'\n");
  std::set<std::string> lines;
  for (const Setting& setting : config.settings)
    lines.insert(setting.path + " = " + setting.value + " # " + std::to_string(setting.line));
  for (const char* expected :
       {"repository.location = \"/srv/repository\" # 2", "daemon.socket = \"/run/qcbak/qcbak.sock\" # 0",
        "job.etc.retries = 5 # 7", "job.etc.schedule = \"weekly\" # 0", "job.etc.source.files = [ \"/etc\" ] # 6",
        "job.etc.labels.a = \"b\" # 8", "roles.administrator = [ \"root\" ] # 0"})
    EXPECT_TRUE(lines.contains(expected)) << expected << " is missing in:\n" << testing::PrintToString(lines);
}

TEST(Config, RefusesWithPlaceAndNextStep) {
  const std::string job = std::string(kLeast) + "[[job]]\nname = 'etc'\nsource = { files = ['/etc'] }\n";  // lines 4 to 6
  const struct {
    std::string text, refusal;
  } cases[] = {
      {"", "qcbak.toml: repository.location: it is missing"},
      {"[repository]\nlocation = '/r'\n", "qcbak.toml:1: repository: nothing opens it; give either"},
      {std::string(kLeast) + "credential = 'c'\n", "repository: two things open it"},
      {"[repository]\nlocation = 'r'\npassword_file = '/p'\n",
       "qcbak.toml:2: repository.location: it is \"r\", which is not an absolute path"},
      {"[repositry]\n", "qcbak.toml:1: repositry: there is no such setting; did you mean \"repository\"?"},
      {job + "shedule = 'daily'\n", "qcbak.toml:7: job.etc.shedule: there is no such setting; did you mean \"schedule\"?"},
      {job + "schedule = 'sometimes'\n", "qcbak.toml:7: job.etc.schedule: calendar expression \"sometimes\""},
      {job + "schedule = 5\n", "job.etc.schedule: it is 5, which is not a text"},
      {job + "on_change = 'yes'\n", "job.etc.on_change: it is \"yes\", which is not true or false"},
      {job + "retries = -1\n", "job.etc.retries: it is -1, which is not a number from 0 to 100"},
      {job + "retries = 2.5\n", "which is not a number from 0 to 100"},
      {job + "debounce = '5 parsecs'\n", "job.etc.debounce: it is \"5 parsecs\", which is not a time"},
      {job + "debounce = '2d'\n", "job.etc.debounce: it must be at most a day"},
      {job + "labels = { importance = 'huge' }\n", "it is one of \"critical\""},
      {job + "retention = { lest = 5 }\n", "job.etc.retention.lest: there is no such setting; did you mean \"last\"?"},
      {job + "retention = { last = 0 }\n", "job.etc.retention.last"},
      {job + "[[job]]\nname = 'etc'\nsource = { files = ['/'] }\n", "qcbak.toml:7: job.etc: there are two jobs of this name"},
      {std::string(kLeast) + "[[job]]\nname = 'a/b'\nsource = { files = ['/etc'] }\n", "job.a/b.name: a name is made of"},
      {std::string(kLeast) + "[[job]]\nsource = { files = ['/etc'] }\n", "job[1].name: it is missing"},
      {std::string(kLeast) + "[[job]]\nname = 'a'\n", "job.a.source: it is missing"},
      {std::string(kLeast) + "[[job]]\nname = 'a'\nsource = { files = [] }\n", "job.a.source.files: it names nothing"},
      {std::string(kLeast) + "[[job]]\nname = 'a'\nsource = { files = ['etc'] }\n", "\"etc\" is not an absolute path"},
      {std::string(kLeast) + "[job]\nname = 'a'\n", "jobs are written as [[job]]"},
      {std::string(kLeast) + "[daemon]\nrole = 'boss'\n", "daemon.role: it is neither"},
      {std::string(kLeast) + "[roles]\noperators = []\n", "did you mean \"operator\"?"},
      {"[repository\n", "qcbak.toml:1: "},
      {std::string(kLeast) + "[notify]\n", "ways to tell people are written as [[notify]]"},
      {std::string(kLeast) + "[[notify]]\n", "qcbak.toml:4: notify[1]: it tells nobody; give either email and smtp, or webhook"},
      {std::string(kLeast) + "[[notify]]\nemail = 'a@b.vn'\n", "mail goes nowhere"},
      {std::string(kLeast) + "[[notify]]\nemail = []\nsmtp = 'smtp://h'\n", "it names from 1 to 100 addresses"},
      {std::string(kLeast) + "[[notify]]\nemail = 'a@b.vn'\nsmtp = 'smtp://h'\nwebhook = 'https://h/x'\n", "it tells in two ways"},
      {std::string(kLeast) + "[[notify]]\nwebhook = 'https://h/x'\nfrom = 'a@b.vn'\n", "smtp, from and user are for mail"},
      {std::string(kLeast) + "[[notify]]\nemail = \"a@b.vn\\r\\nBcc: c@d.vn\"\nsmtp = 'smtp://h'\n", "notify[1].email"},
      {std::string(kLeast) + "[[notify]]\nemail = \"a@b.vn\\rBcc: c@d.vn\"\nsmtp = 'smtp://h'\n", "it is no address"},
      {std::string(kLeast) + "[[notify]]\nemail = ['a@b.vn', 'a b@c']\nsmtp = 'smtp://h'\n", "\"a b@c\": it is no address"},
      {std::string(kLeast) + "[[notify]]\nemail = 'a@b.vn>'\nsmtp = 'smtp://h'\n", "it is no address"},
      {std::string(kLeast) + "[[notify]]\nemail = 'a@b.vn'\nsmtp = 'smtp+plain://mail.vn'\n", "is for this machine alone"},
      {std::string(kLeast) + "[[notify]]\nemail = 'a@b.vn'\nsmtp = 'mail.vn'\n", "it is written SCHEME://HOST[:PORT]"},
      {std::string(kLeast) + "[[notify]]\nemail = 'a@b.vn'\nsmtp = 'http://mail.vn'\n", "starts with none of smtps://, smtp://"},
      {std::string(kLeast) + "[[notify]]\nemail = 'a@b.vn'\nsmtp = 'smtps://mail.vn:0'\n", "the port is a number"},
      {std::string(kLeast) + "[[notify]]\nemail = 'a@b.vn'\nsmtp = 'smtps://a@mail.vn'\n", "who logs in is not part"},
      {std::string(kLeast) + "[[notify]]\nemail = 'a@b.vn'\nsmtp = 'smtps://h'\nuser = 'a'\n", "user and password go together"},
      {std::string(kLeast) + "[[notify]]\nwebhook = 'http://mail.vn/x'\n", "is for this machine alone"},
      {std::string(kLeast) + "[[notify]]\nwebhook = \"https://h/x\\ty\"\n", "it has a byte that belongs into no address"},
      {std::string(kLeast) + "[[notify]]\nwebhook = 'https://h/x'\non = ['failures']\n", "\"failures\" is none of failure, incomplete"},
      {std::string(kLeast) + "[[notify]]\nwebhook = 'https://h/x'\nlanguage = 'fr'\n", "it is neither \"en\" nor \"vi\""},
      {std::string(kLeast) + "[[notify]]\nwebhook = 'https://h/x'\nwebhook_secret = 'a/b'\n", "or an absolute path"},
      {std::string(kLeast) + "[[notify]]\nwebhook = 'https://h/x'\nurl = 'a'\n", "notify[1].url: there is no such setting"},
      {std::string(kLeast) + "[audit]\nkeep = '5months'\n", "audit.keep: the log is kept six months (183 days) at least"},
      {std::string(kLeast) + "[audit]\nsyslog = 'https://h'\n", "starts with none of udp://, tcp://, tls://"},
      {"daemon = 5\n" + std::string(kLeast), "qcbak.toml:1: daemon: it is not a table"},
      {std::string(kLeast) + "[serve]\nlisten = '10.0.0.5'\n", "qcbak.toml:5: serve.listen: \"10.0.0.5\" is not an address to listen at: it is written HOST:PORT"},
      {std::string(kLeast) + "[serve]\nlisten = '10.0.0.5:'\n", "the port is a number from 1 to 65535"},
      {std::string(kLeast) + "[serve]\nlisten = '10.0.0.5:0'\n", "the port is a number from 1 to 65535"},
      {std::string(kLeast) + "[serve]\nlisten = '10.0.0.5:65536'\n", "the port is a number from 1 to 65535"},
      {std::string(kLeast) + "[serve]\nlisten = '10.0.0.5:7421/x'\n", "the port is a number from 1 to 65535"},
      {std::string(kLeast) + "[serve]\nlisten = 'fd00::5:7421'\n", "the port is a number"},
      {std::string(kLeast) + "[serve]\nlisten = '[fd00::5]'\n", "with an IPv6 address in brackets"},
      {std::string(kLeast) + "[serve]\nlisten = ':7421'\n", "it names no host"},
      {std::string(kLeast) + "[serve]\nlisten = 'https://h:7421'\n", "serve.listen"},
      {std::string(kLeast) + "[serve]\nlisten = 7421\n", "serve.listen: it is 7421, which is not a text"},
      {std::string(kLeast) + "[serve]\ncertificate = 'etc/a'\n", "serve.certificate: it is the name of a systemd credential, or an absolute path"},
      {std::string(kLeast) + "[serve]\nkey = './a'\n", "qcbak.toml:5: serve.key: it is the name"},
      {std::string(kLeast) + "[serve]\nmetrics_token = ''\n", "serve.metrics_token: it is \"\", which is not a text"},
      {std::string(kLeast) + "[serve]\nport = 5\n", "serve.port: there is no such setting"},
      {std::string(kLeast) + "[serve]\nlisten = 'h:1'\n[daemon]\nsocket = '/run/gateway.sock'\n", "qcbak.toml:4: serve: /run/gateway.sock is the gateway's socket"},
      {std::string(kLeast) + "[serve]\nlisten = 'h:1'\n[daemon]\nsocket = '/" + std::string(100, 'r') + "/s'\n", "is longer than 107 bytes"},
  };
  for (const auto& [text, expected] : cases) EXPECT_THAT(refusal(text), HasSubstr(expected)) << text;
}

// What `config show` prints, and the defaults, are themselves valid.
TEST(Config, EveryDefaultIsTaken) {
  for (const OptionRow& row : option_table()) {
    EXPECT_FALSE(row.help.empty()) << row.name;
    EXPECT_FALSE(row.type.empty()) << row.name;
  }
  EXPECT_EQ(refusal(kLeast), "taken");
}

}  // namespace
}  // namespace qcbak::config
