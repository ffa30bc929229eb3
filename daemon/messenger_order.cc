#include "daemon/messenger_order.h"

#include "daemon/json_line.h"

namespace qcbak::daemon {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kEntriesLimit = 1000;

Json json_of(const SyslogEntry& entry) {
  return {{"number", entry.number},         {"time_ns", entry.time.ns}, {"severity", static_cast<int>(entry.severity)},
          {"message_id", entry.message_id}, {"hash", entry.hash},       {"text", entry.text}};
}

SyslogEntry entry_from(const Json& json) {
  SyslogEntry entry;
  entry.number = json.at("number").get<std::uint64_t>();
  entry.time.ns = json.at("time_ns").get<std::int64_t>();
  const int severity = json.at("severity").get<int>();
  if (severity < static_cast<int>(SyslogSeverity::error) || severity > static_cast<int>(SyslogSeverity::informational))
    throw Error(ErrorCode::failed, "an entry has a severity that is none");
  entry.severity = static_cast<SyslogSeverity>(severity);
  entry.message_id = json.at("message_id").get<std::string>();
  entry.hash = json.at("hash").get<std::string>();
  entry.text = json.at("text").get<std::string>();
  return entry;
}

}  // namespace

std::string encode(const MessengerOrder& order) {
  Json entries = Json::array();
  for (const SyslogEntry& entry : order.entries) entries.push_back(json_of(entry));
  return line_of({{"kind", order.kind == MessengerOrder::Kind::syslog ? "syslog" : "message"},
                  {"config_sha256", order.config_sha256},
                  {"config_file", order.config_file},
                  {"config_text", order.config_text},
                  {"notify", order.notify},
                  {"message",
                   {{"id", order.message.id},
                    {"created_ns", order.message.created.ns},
                    {"subject", order.message.subject},
                    {"text", order.message.text},
                    {"json", order.message.json}}},
                  {"entries", std::move(entries)}});
}

MessengerOrder decode_messenger_order(std::string_view line) {
  return read_line(line, [](const Json& json) {
    MessengerOrder order;
    order.kind =
        json.at("kind").get<std::string>() == "syslog" ? MessengerOrder::Kind::syslog : MessengerOrder::Kind::message;
    order.config_sha256 = json.at("config_sha256").get<std::string>();
    order.config_file = json.at("config_file").get<std::string>();
    order.config_text = json.at("config_text").get<std::string>();
    order.notify = json.at("notify").get<std::uint64_t>();
    const Json& message = json.at("message");
    order.message.id = message.at("id").get<std::int64_t>();
    order.message.created.ns = message.at("created_ns").get<std::int64_t>();
    order.message.subject = message.at("subject").get<std::string>();
    order.message.text = message.at("text").get<std::string>();
    order.message.json = message.at("json").get<std::string>();
    const Json& entries = json.at("entries");
    if (!entries.is_array() || entries.size() > kEntriesLimit)
      throw Error(ErrorCode::failed, "these are no entries, or too many");
    for (const Json& entry : entries) order.entries.push_back(entry_from(entry));
    return order;
  });
}

std::string encode(const MessengerResult& result) { return line_of({{"error", result.error}}); }

MessengerResult decode_messenger_result(std::string_view line) {
  return read_line(line, [](const Json& json) { return MessengerResult{json.at("error").get<std::string>()}; });
}

}  // namespace qcbak::daemon
