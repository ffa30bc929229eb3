// The catalogue: every sentence this program says to people, in English as the key, and in Vietnamese.
// JSON keys and what was backed up are never translated.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace qcbak::cli {

enum class Language { english, vietnamese };

// LC_ALL, else LC_MESSAGES, else LANG.
Language language_of_environment();
// A process speaks one language: set at the start, before there are threads.
void set_language(Language language);
Language language();

// The sentence in the language set; in English when the catalogue lacks it.
std::string_view tr(std::string_view english);
// A sentence that was already filled in by somebody who knows no languages: found again through its pattern.
std::string translate_message(std::string_view english);
// A translated sentence with its gaps ({}) filled.
template <class... Values>
std::string say(std::string_view english, const Values&... values) {
  return fmt::vformat(tr(english), fmt::make_format_args(values...));
}
// "1 file", "2 files": both forms are in the catalogue.
inline std::string counted(std::uint64_t count, std::string_view one, std::string_view many) {
  return say(count == 1 ? one : many, count);
}

// Pairs of English and Vietnamese (vietnamese.cc).
std::span<const std::pair<std::string_view, std::string_view>> vietnamese();
std::span<const std::pair<std::string_view, std::string_view>> vietnamese_of_deep_errors();

}  // namespace qcbak::cli
