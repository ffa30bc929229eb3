#include "cli/qr_code.h"

#include <qrencode.h>

#include <memory>

#include "base/error.h"

namespace qcbak::cli {
namespace {

constexpr int kQuiet = 4;  // modules

struct Free {
  void operator()(QRcode* code) const { QRcode_free(code); }
};
using Code = std::unique_ptr<QRcode, Free>;

bool is_dark(const QRcode& code, int x, int y) {
  constexpr unsigned char kDark = 1;
  if (x < 0 || y < 0 || x >= code.width || y >= code.width) return false;
  return (code.data[y * code.width + x] & kDark) != 0;
}

}  // namespace

std::vector<std::string> qr_code_lines(const std::string& text) {
  const Code code(QRcode_encodeString(text.c_str(), 0, QR_ECLEVEL_M, QR_MODE_8, 1));
  if (!code) throw Error(ErrorCode::failed, "this text does not fit into a QR code");
  constexpr const char* kBlackOnWhite = "\x1b[30;107m";
  constexpr const char* kPlain = "\x1b[0m";
  constexpr const char* kBlocks[2][2] = {{" ", "▄"}, {"▀", "█"}};  // upper, lower half
  std::vector<std::string> lines;
  for (int y = -kQuiet; y < code->width + kQuiet; y += 2) {
    std::string line = kBlackOnWhite;
    for (int x = -kQuiet; x < code->width + kQuiet; ++x)
      line += kBlocks[is_dark(*code, x, y) ? 1 : 0][is_dark(*code, x, y + 1) ? 1 : 0];
    lines.push_back(line + kPlain);
  }
  return lines;
}

}  // namespace qcbak::cli
