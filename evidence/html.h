// Pieces of pages to print, in Vietnamese and English side by side.
#pragma once

#include <string>

namespace qcbak::evidence {

std::string escaped(const std::string& text);
// The English smaller, below. Both are HTML.
std::string both(const std::string& vietnamese, const std::string& english);
// A term and its value, of a <dl>.
std::string fact(const std::string& vietnamese, const std::string& english, const std::string& value);

}  // namespace qcbak::evidence
