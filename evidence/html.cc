#include "evidence/html.h"

namespace qcbak::evidence {

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string both(const std::string& vietnamese, const std::string& english) {
  return vietnamese + "<br><small>" + english + "</small>";
}

std::string fact(const std::string& vietnamese, const std::string& english, const std::string& value) {
  return "<dt>" + vietnamese + " <small>" + english + "</small></dt><dd>" + value + "</dd>\n";
}

}  // namespace qcbak::evidence
