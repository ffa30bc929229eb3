// One value of the file, read as what its option wants it to be. Only for this folder: it brings the TOML library along.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <toml++/toml.h>

#include "config/config.h"

namespace qcbak::config {

struct Reading {
  std::string file;
  std::vector<Setting> settings;
};

class Value {
 public:
  Value(const toml::node& node, std::string path, Reading& reading)
      : node_(node), path_(std::move(path)), reading_(reading) {}

  std::string text() const;  // not empty, one line
  std::string absolute_path() const;
  bool boolean() const;
  std::int64_t integer(std::int64_t least, std::int64_t most) const;
  std::int64_t duration_ns() const;
  std::uint64_t rate_bytes_per_s() const;
  std::vector<std::string> texts() const;  // each not empty
  std::vector<std::string> text_or_texts() const;
  Endpoint endpoint(std::initializer_list<std::string_view> schemes) const;
  Endpoint host_and_port() const;
  std::vector<std::pair<std::string, std::string>> labels() const;
  Calendar calendar() const;
  void mail_address(const std::string& address) const;  // fails unless it is one
  const toml::table& table() const;

  const std::string& path() const { return path_; }
  Reading& reading() const { return reading_; }
  [[noreturn]] void fail(const std::string& why) const;

 private:
  [[noreturn]] void wants(std::string_view what) const;
  const toml::node& node_;
  std::string path_;
  Reading& reading_;
};

// A row of the table of options. The fallback is TOML, read like what the file says; empty: there is none.
template <class Section>
struct Option {
  std::string_view name, type, fallback, help;
  void (*set)(Section&, const Value&);
  enum class Presence { optional, required } presence = Presence::optional;
};

[[noreturn]] void fail_at(const Reading& reading, const toml::node& node, const std::string& path, const std::string& why,
                          const std::string& hint = "");
void refuse_unknown(const toml::table& table, const std::string& path, const std::vector<std::string>& known,
                    const Reading& reading);
std::string toml_text(const toml::node& node);

template <class Section>
void read_section(const toml::table& table, const std::string& path, std::span<const Option<Section>> options,
                  Section& into, Reading& reading) {
  std::vector<std::string> known;
  for (const Option<Section>& option : options) known.emplace_back(option.name);
  refuse_unknown(table, path, known, reading);
  for (const Option<Section>& option : options) {
    const std::string where = path.empty() ? std::string(option.name) : path + "." + std::string(option.name);
    const toml::node* node = table.get(option.name);
    if (node == nullptr && option.presence == Option<Section>::Presence::required)
      fail_at(reading, table, where, "it is missing", "it is needed: " + std::string(option.help));
    if (node == nullptr && option.fallback.empty()) continue;
    toml::table fallback;
    if (node == nullptr) fallback = toml::parse("value = " + std::string(option.fallback));
    const bool given = node != nullptr;
    if (!given) node = fallback.get("value");
    if (!node->is_table())
      reading.settings.push_back({where, toml_text(*node), given ? static_cast<int>(node->source().begin.line) : 0});
    option.set(into, Value(*node, where, reading));
  }
}

}  // namespace qcbak::config
