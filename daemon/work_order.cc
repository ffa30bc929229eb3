#include "daemon/work_order.h"

#include "crypto/hash.h"
#include "daemon/own_jobs.h"
#include "daemon/json_line.h"

namespace qcbak::daemon {
namespace {

using Json = nlohmann::json;

// In the order of WorkOrder::Kind.
constexpr std::array<std::string_view, 4> kKinds = {"back_up", "collect", "keep_state", "keep_log"};

WorkOrder::Kind kind_from(const std::string& name) {
  for (std::size_t i = 0; i < kKinds.size(); ++i)
    if (kKinds[i] == name) return static_cast<WorkOrder::Kind>(i);
  throw Error(ErrorCode::failed, "\"" + name + "\" is no order");
}

}  // namespace

std::string sha256_of(const config::Config& config) { return crypto::sha256(as_bytes(config.text)).hex(); }

WorkOrder::Kind kind_of(std::string_view job) {
  if (job == kCollectJob) return WorkOrder::Kind::collect;
  if (job == kStateJob) return WorkOrder::Kind::keep_state;
  if (job == kLogJob) return WorkOrder::Kind::keep_log;
  return WorkOrder::Kind::back_up;
}

std::string encode_order(const WorkOrder& order) {
  const config::Job& job = order.job;
  const config::Retention& retention = job.retention;
  const auto number = [](const std::optional<std::int64_t>& value) { return value ? Json(*value) : Json(nullptr); };
  return line_of({{"config_sha256", order.config_sha256},
                  {"unless_state", order.unless_state},
                  {"unless_snapshot", order.unless_snapshot},
                  {"kind", kKinds[static_cast<std::size_t>(order.kind)]},
                  {"config_file", order.config_file},
                  {"state_dir", order.state_dir},
                  {"run", order.run},
                  {"reason", name_of(order.reason)},
                  {"vault",
                   {{"location", order.vault.location},
                    {"credential_file", order.vault.credential_file},
                    {"password_file", order.vault.password_file},
                    {"cache_directory", order.vault.cache_directory}}},
                  {"job",
                   {{"name", job.name},
                    {"files", job.source.paths},
                    {"exclude", job.source.exclude},
                    {"one_file_system", job.source.one_file_system},
                    {"labels", job.labels},
                    {"domain", job.domain},
                    {"before", job.before},
                    {"after", job.after},
                    {"retention",
                     {{"last", number(retention.last)},
                      {"daily", number(retention.daily)},
                      {"weekly", number(retention.weekly)},
                      {"monthly", number(retention.monthly)},
                      {"yearly", number(retention.yearly)},
                      {"within_ns", number(retention.within_ns)},
                      {"lock_ns", number(retention.lock_ns)}}},
                    {"read_limit_bytes_per_s", job.read_limit_bytes_per_s},
                    {"command_limit_ns", job.command_limit_ns}}}});
}

WorkOrder decode_order(std::string_view line) {
  return read_line(line, [](const Json& json) {
    WorkOrder order;
    order.kind = kind_from(json.at("kind").get<std::string>());
    order.config_file = json.at("config_file").get<std::string>();
    order.state_dir = json.at("state_dir").get<std::string>();
    order.unless_state = json.at("unless_state").get<std::string>();
    order.unless_snapshot = json.at("unless_snapshot").get<std::string>();
    order.config_sha256 = json.at("config_sha256").get<std::string>();
    order.run = json.at("run").get<std::string>();
    order.reason = reason_from(json.at("reason").get<std::string>());
    const Json& vault = json.at("vault");
    order.vault = {vault.at("location").get<std::string>(), vault.at("credential_file").get<std::string>(),
                   vault.at("password_file").get<std::string>(), vault.at("cache_directory").get<std::string>()};
    const Json& job = json.at("job");
    order.job.name = job.at("name").get<std::string>();
    order.job.source.paths = job.at("files").get<std::vector<std::string>>();
    order.job.source.exclude = job.at("exclude").get<std::vector<std::string>>();
    order.job.source.one_file_system = job.at("one_file_system").get<bool>();
    order.job.labels = job.at("labels").get<std::vector<std::pair<std::string, std::string>>>();
    order.job.domain = job.at("domain").get<std::string>();
    order.job.before = job.at("before").get<std::string>();
    order.job.after = job.at("after").get<std::string>();
    const auto number = [&](const char* key) -> std::optional<std::int64_t> {
      const Json& value = job.at("retention").at(key);
      return value.is_null() ? std::nullopt : std::optional(value.get<std::int64_t>());
    };
    order.job.retention = {number("last"),   number("daily"),     number("weekly"), number("monthly"),
                           number("yearly"), number("within_ns"), number("lock_ns")};
    order.job.read_limit_bytes_per_s = job.at("read_limit_bytes_per_s").get<std::uint64_t>();
    order.job.command_limit_ns = job.at("command_limit_ns").get<std::int64_t>();
    return order;
  });
}

std::string encode_result(const WorkResult& result) {
  return line_of({{"type", "result"},
                  {"outcome", name_of(result.outcome)},
                  {"snapshot", result.snapshot},
                  {"error", result.error},
                  {"summary", result.summary}});
}

WorkResult decode_result(std::string_view line) {
  return read_line(line, [](const Json& json) {
    return WorkResult{outcome_from(json.at("outcome").get<std::string>()), json.at("snapshot").get<std::string>(),
                      json.at("error").get<std::string>(), json.at("summary").get<std::string>()};
  });
}

std::string encode_progress(const WorkProgress& progress) {
  return line_of({{"type", "progress"},
                  {"bytes", progress.bytes},
                  {"files", progress.files},
                  {"problems", progress.problems}});
}

WorkMessage decode_message(std::string_view line) {
  return read_line(line, [&](const Json& json) -> WorkMessage {
    if (json.at("type").get<std::string>() == "result") return decode_result(line);
    return WorkProgress{json.at("bytes").get<std::uint64_t>(), json.at("files").get<std::uint64_t>(),
                        json.at("problems").get<std::uint64_t>()};
  });
}

}  // namespace qcbak::daemon
