#include "cli/messages.h"

#include <cstdlib>

namespace qcbak::cli {
namespace {

Language current = Language::english;

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

std::string_view tr(std::string_view english) { return english; }
std::string translate_message(std::string_view english) { return std::string(english); }

}  // namespace qcbak::cli
