#include "cli/messages.h"

#include <cstdlib>
#include <optional>
#include <unordered_map>
#include <vector>

namespace qcbak::cli {
namespace {

Language current = Language::english;

using Dictionary = std::unordered_map<std::string_view, std::string_view>;

const Dictionary& dictionary() {
  static const Dictionary all = [] {
    const auto sentences = vietnamese();
    return Dictionary(sentences.begin(), sentences.end());
  }();
  return all;
}

constexpr std::string_view kGap = "{}";

// What fills the gaps of `pattern` in `text`; nothing when it is another sentence. The first gap takes as little as the
// rest allows.
std::optional<std::vector<std::string_view>> match(std::string_view pattern, std::string_view text) {
  const std::size_t gap = pattern.find(kGap);
  if (gap == std::string_view::npos)
    return pattern == text ? std::optional(std::vector<std::string_view>{}) : std::nullopt;
  if (!text.starts_with(pattern.substr(0, gap))) return std::nullopt;
  text.remove_prefix(gap);
  pattern.remove_prefix(gap + kGap.size());
  for (std::size_t end = 0; end <= text.size(); ++end) {
    if (pattern.empty() && end < text.size()) continue;
    if (auto rest = match(pattern, text.substr(end))) {
      rest->insert(rest->begin(), text.substr(0, end));
      return rest;
    }
  }
  return std::nullopt;
}

std::string fill(std::string_view pattern, const std::vector<std::string_view>& values) {
  std::string text;
  for (const std::string_view value : values) {
    const std::size_t gap = pattern.find(kGap);
    text += pattern.substr(0, gap);
    text += value;
    pattern.remove_prefix(gap + kGap.size());
  }
  return text += pattern;
}

}  // namespace

Language language_of_environment() {
  for (const char* name : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    const std::string_view locale(value);
    return locale == "vi" || locale.starts_with("vi_") || locale.starts_with("vi.") ? Language::vietnamese
                                                                                    : Language::english;
  }
  return Language::english;
}

void set_language(Language language) { current = language; }
Language language() { return current; }

std::string_view tr(std::string_view english) {
  if (current == Language::english) return english;
  const auto at = dictionary().find(english);
  return at == dictionary().end() ? english : at->second;
}

std::string translate_message(std::string_view english) {
  if (current == Language::english) return std::string(english);
  for (const auto& [pattern, translation] : vietnamese_of_deep_errors())
    if (const auto values = match(pattern, english)) return fill(translation, *values);
  return std::string(english);
}

}  // namespace qcbak::cli
