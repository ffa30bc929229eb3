// A QR code (ISO/IEC 18004) for a terminal, of half blocks: dark on light, whatever the terminal's colours are.
#pragma once

#include <string>
#include <vector>

namespace qcbak::cli {

// Its lines, with the quiet zone of four modules. Error(failed): the text is too long for one.
std::vector<std::string> qr_code_lines(const std::string& text);

}  // namespace qcbak::cli
