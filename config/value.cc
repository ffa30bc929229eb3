#include "config/value.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/nearest.h"

namespace qcbak::config {

void fail_at(const Reading& reading, const toml::node& node, const std::string& path, const std::string& why,
             const std::string& hint) {
  const auto line = node.source().begin.line;
  Error error(ErrorCode::usage, printable(reading.file) + (line > 0 ? ":" + std::to_string(line) : "") + ": " +
                                    (path.empty() ? "" : printable(path) + ": ") + why);
  if (!hint.empty()) error.with_hint(hint);
  throw error;
}

void refuse_unknown(const toml::table& table, const std::string& path, const std::vector<std::string>& known,
                    const Reading& reading) {
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string meant = nearest(name, known);
    fail_at(reading, node, path.empty() ? name : path + "." + name, "there is no such setting",
            meant.empty() ? "" : "did you mean \"" + meant + "\"?");
  }
}

std::string toml_text(const toml::node& node) {
  std::ostringstream out;
  out << toml::toml_formatter(node, toml::toml_formatter::default_flags & ~toml::format_flags::allow_literal_strings);
  return out.str();
}

void Value::fail(const std::string& why) const { fail_at(reading_, node_, path_, why); }
void Value::wants(std::string_view what) const {
  fail("it is " + toml_text(node_) + ", which is not " + std::string(what));
}

std::string Value::text() const {
  const auto value = node_.value_exact<std::string>();
  if (!value || value->empty()) wants("a text");
  if (value->find_first_of(std::string_view("\n\0", 2)) != value->npos) wants("a text of one line");
  return *value;
}

std::string Value::absolute_path() const {
  std::string path = text();
  if (!path.starts_with('/')) wants("an absolute path");
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

bool Value::boolean() const {
  const auto value = node_.value_exact<bool>();
  if (!value) wants("true or false");
  return *value;
}

std::int64_t Value::integer(std::int64_t least, std::int64_t most) const {
  const auto value = node_.value_exact<std::int64_t>();
  if (!value || *value < least || *value > most)
    wants("a number from " + std::to_string(least) + " to " + std::to_string(most));
  return *value;
}

std::int64_t Value::duration_ns() const {
  const auto value = node_.value_exact<std::string>();
  const auto duration = value ? parse_duration_ns(*value) : std::nullopt;
  if (!duration) wants("a time such as \"30s\", \"15min\", \"90d\" or \"24months\"");
  return *duration;
}

std::uint64_t Value::rate_bytes_per_s() const {
  constexpr std::pair<std::string_view, int> kUnits[] = {{"B/s", 0}, {"KiB/s", 10}, {"MiB/s", 20}, {"GiB/s", 30}};
  constexpr std::uint64_t kMost = 1U << 20;
  const std::string value = text();
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(value.data() + value.size() - end));
  if (error == std::errc() && number > 0 && number <= kMost)
    for (const auto& [name, shift] : kUnits)
      if (unit == name) return number << shift;
  wants("a rate, as \"20MiB/s\"");
}

std::vector<std::string> Value::texts() const {
  const toml::array* array = node_.as_array();
  if (array == nullptr) wants("a list of texts");
  std::vector<std::string> texts;
  for (const toml::node& item : *array) texts.push_back(Value(item, path_, reading_).text());
  return texts;
}

std::vector<std::string> Value::text_or_texts() const {
  if (node_.is_string()) return {text()};
  return texts();
}

Endpoint Value::endpoint(std::initializer_list<std::string_view> schemes) const {
  Endpoint endpoint;
  try {
    endpoint = parse_endpoint(text());
  } catch (const Error& error) {
    fail("\"" + printable(text()) + "\" is not an address: " + error.what());
  }
  if (std::find(schemes.begin(), schemes.end(), endpoint.scheme) != schemes.end()) return endpoint;
  std::string known;
  for (const std::string_view scheme : schemes) known += (known.empty() ? "" : ", ") + std::string(scheme) + "://";
  fail("\"" + printable(text()) + "\" starts with none of " + known);
}

Endpoint Value::host_and_port() const {
  try {
    return parse_host_and_port(text());
  } catch (const Error& error) {
    fail("\"" + printable(text()) + "\" is not an address to listen at: " + error.what());
  }
}

std::vector<std::pair<std::string, std::string>> Value::labels() const {
  std::vector<std::pair<std::string, std::string>> labels;
  for (const auto& [key, node] : table()) {
    const std::string name(key.str());
    const Value value(node, path_ + "." + name, reading_);
    labels.emplace_back(name, value.text());
    reading_.settings.push_back({value.path_, toml_text(node), static_cast<int>(node.source().begin.line)});
  }
  std::sort(labels.begin(), labels.end());
  return labels;
}

Calendar Value::calendar() const {
  const std::string expression = text();
  try {
    return Calendar::parse(expression);
  } catch (const Error& error) {
    fail_at(reading_, node_, path_, error.what(), error.hint());
  }
}

void Value::mail_address(const std::string& address) const {
  try {
    require_mail_address(address);
  } catch (const Error& error) {
    fail("\"" + printable(address) + "\": " + error.what());
  }
}

const toml::table& Value::table() const {
  const toml::table* table = node_.as_table();
  if (table == nullptr) wants("a table");
  return *table;
}

}  // namespace qcbak::config
