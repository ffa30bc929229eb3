#include "daemon/announcement.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/bytes.h"

namespace qcbak::daemon {
namespace {

using config::AlertKind;
using config::Language;
using Json = nlohmann::json;

constexpr std::size_t kDigestLines = 1000;  // of jobs, and of alerts

// A sentence in both languages; "{}" is the job.
struct Sentence {
  std::string_view english, vietnamese;
  std::string_view in(Language language) const { return language == Language::vietnamese ? vietnamese : english; }
};

Sentence title_of(AlertKind kind) {
  switch (kind) {
    case AlertKind::failure: return {"job {} failed", "công việc {} thất bại"};
    case AlertKind::incomplete:
      return {"job {} could not back up everything", "công việc {} không sao lưu được tất cả"};
    case AlertKind::missed: return {"job {} is overdue", "công việc {} đã quá hạn"};
    case AlertKind::unwatched:
      return {"job {} cannot be watched for changes", "không theo dõi được thay đổi của công việc {}"};
    case AlertKind::plan:
      return {"an approver is needed for the plan of backups", "kế hoạch sao lưu cần được phê duyệt"};
    case AlertKind::space: return {"space for backups runs out", "sắp hết chỗ chứa bản sao lưu"};
    case AlertKind::clock: return {"the clock cannot be relied on", "đồng hồ của máy không đáng tin"};
    case AlertKind::login: return {"an account was locked", "một tài khoản đã bị khóa"};
    case AlertKind::review: return {"a review of rights is due", "đến hạn rà soát quyền truy cập"};
    case AlertKind::undelivered: return {"messages are not delivered", "thông báo không gửi đi được"};
  }
  return {};
}

constexpr Sentence kOver = {"over: ", "đã hết: "};
constexpr Sentence kWhat = {"What:  ", "Việc gì:    "};
constexpr Sentence kJob = {"Job:   ", "Công việc:  "};
constexpr Sentence kSince = {"Since: ", "Từ lúc:     "};
constexpr Sentence kUntil = {"Until: ", "Đến lúc:    "};
constexpr Sentence kHost = {"Host:  ", "Máy:        "};
constexpr Sentence kNext = {"Next:  ", "Lệnh tiếp:  "};
constexpr Sentence kTest = {"a test message", "thông báo thử"};
constexpr Sentence kTestText = {"This is a test. Whoever reads it is told when something needs attention.",
                                "Đây là thông báo thử. Ai đọc được nó sẽ được báo khi có việc cần chú ý."};
constexpr Sentence kAllWell = {"daily report: nothing needs attention", "báo cáo hằng ngày: không có việc cần chú ý"};
constexpr Sentence kNotWell = {"daily report: things that need attention: ", "báo cáo hằng ngày: số việc cần chú ý: "};
constexpr Sentence kAlerts = {"Needs attention:", "Cần chú ý:"};
constexpr Sentence kJobs = {"Jobs:", "Các công việc:"};
constexpr Sentence kNoRun = {"no run yet", "chưa chạy lần nào"};
constexpr Sentence kLastGood = {", last good ", ", lần tốt gần nhất "};
constexpr Sentence kLeft = {"Left on the repository's medium: ", "Còn trống trên thiết bị chứa kho: "};
constexpr Sentence kFullIn = {" MiB; days until it is full, if it goes on like this: ",
                              " MiB; số ngày đến khi đầy, nếu cứ như hiện nay: "};
constexpr Sentence kMebibytes = {" MiB", " MiB"};
constexpr Sentence kWaiting = {"Messages that wait to be sent: ", "Số thông báo đang chờ gửi: "};

std::string outcome_in(Language language, const std::string& outcome) {
  constexpr std::pair<std::string_view, std::string_view> kVietnamese[] = {
      {"complete", "đầy đủ"}, {"incomplete", "chưa đầy đủ"}, {"unchanged", "không đổi"}, {"failed", "thất bại"}};
  if (language == Language::vietnamese)
    for (const auto& [english, vietnamese] : kVietnamese)
      if (english == outcome) return std::string(vietnamese);
  return outcome;
}

std::string title(const Alert& alert, Language language) {
  std::string title(title_of(alert.kind).in(language));
  if (const std::size_t gap = title.find("{}"); gap != title.npos) title.replace(gap, 2, alert.job);
  return title;
}

std::string subject(const std::string& host, const std::string& what) { return "[qcbak " + host + "] " + what; }
std::string line(std::string_view name, const std::string& value) {
  return std::string(name) + printable(value) + "\n";
}

std::string json_of(const std::string& event, const Alert& alert, const std::string& state, const std::string& host,
                    Time now) {
  return Json{{"event", event}, {"key", alert.key},        {"job", alert.job.empty() ? Json(nullptr) : Json(alert.job)},
              {"state", state}, {"what", alert.what},      {"time", format_time(now)},
              {"host", host},   {"version", QCBAK_VERSION}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

Message message_for(const config::Notify& channel, Time now) {
  Message message;
  message.channel = channel.name;
  message.created = now;
  return message;
}

std::string digest_text(const Digest& digest, Language language) {
  std::string text;
  if (!digest.alerts.empty()) text += std::string(kAlerts.in(language)) + "\n";
  for (std::size_t i = 0; i < std::min(digest.alerts.size(), kDigestLines); ++i) {
    const Alert& alert = digest.alerts[i];
    text += "  " + title(alert, language) + ": " + printable(alert.what) + "\n    " + alert.next + "\n";
  }
  text += std::string(kJobs.in(language)) + "\n";
  for (std::size_t i = 0; i < std::min(digest.jobs.size(), kDigestLines); ++i) {
    const Digest::Job& job = digest.jobs[i];
    text += "  " + job.name + ": " +
            (job.outcome.empty() ? std::string(kNoRun.in(language))
                                 : outcome_in(language, job.outcome) + " " + format_time(*job.ended));
    if (job.last_success) text += std::string(kLastGood.in(language)) + format_time(*job.last_success);
    text += "\n";
  }
  if (digest.free_bytes) {
    text += std::string(kLeft.in(language)) + std::to_string(*digest.free_bytes >> 20);
    text += digest.days_left
                ? std::string(kFullIn.in(language)) + std::to_string(std::lround(std::floor(*digest.days_left)))
                : std::string(kMebibytes.in(language));
    text += "\n";
  }
  if (digest.waiting > 0) text += std::string(kWaiting.in(language)) + std::to_string(digest.waiting) + "\n";
  return text;
}

}  // namespace

Message announce_raised(const config::Notify& channel, const std::string& host, const Alert& alert, Time now) {
  Message message = message_for(channel, now);
  const Language language = channel.language;
  message.subject = subject(host, title(alert, language));
  message.text = line(kWhat.in(language), alert.what);
  if (!alert.job.empty()) message.text += line(kJob.in(language), alert.job);
  message.text += line(kSince.in(language), format_time(now)) + line(kHost.in(language), host) +
                  line(kNext.in(language), alert.next);
  message.json = json_of(std::string(config::name_of(alert.kind)), alert, "raised", host, now);
  return message;
}

Message announce_cleared(const config::Notify& channel, const std::string& host, const Alert& alert, Time now) {
  Message message = message_for(channel, now);
  const Language language = channel.language;
  message.subject = subject(host, std::string(kOver.in(language)) + title(alert, language));
  message.text = line(kWhat.in(language), alert.what);
  if (!alert.job.empty()) message.text += line(kJob.in(language), alert.job);
  if (alert.since) message.text += line(kSince.in(language), format_time(*alert.since));
  message.text += line(kUntil.in(language), format_time(now)) + line(kHost.in(language), host);
  message.json = json_of(std::string(config::name_of(alert.kind)), alert, "cleared", host, now);
  return message;
}

Message announce_digest(const config::Notify& channel, const std::string& host, const Digest& digest, Time now) {
  Message message = message_for(channel, now);
  const Language language = channel.language;
  message.subject =
      subject(host, digest.alerts.empty() ? std::string(kAllWell.in(language))
                                          : std::string(kNotWell.in(language)) + std::to_string(digest.alerts.size()));
  message.text = digest_text(digest, language) + line(kHost.in(language), host);
  Alert report;
  report.key = "digest";
  report.what = message.text;
  message.json = json_of("digest", report, "digest", host, now);
  return message;
}

Message announce_test(const config::Notify& channel, const std::string& host, Time now) {
  Message message = message_for(channel, now);
  message.subject = subject(host, std::string(kTest.in(channel.language)));
  message.text = std::string(kTestText.in(channel.language)) + "\n" + line(kHost.in(channel.language), host);
  Alert test;
  test.key = "test";
  test.what = kTestText.in(channel.language);
  message.json = json_of("test", test, "test", host, now);
  return message;
}

}  // namespace qcbak::daemon
