#include "cli/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace qcbak::cli {
namespace {

// The character at `at` of valid UTF-8, and its length; length 0 when it is not valid.
struct Character {
  char32_t code = 0;
  std::size_t length = 0;
};

Character character_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + length > text.size()) return {};
  char32_t code = first & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(at + i) & 0x3fU);
  }
  const bool too_long = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  if (too_long || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {code, length};
}

std::size_t columns_of(char32_t code) {
  const auto in = [code](char32_t first, char32_t last) { return code >= first && code <= last; };
  if (in(0x300, 0x36f) || in(0x200b, 0x200f) || in(0xfe00, 0xfe0f)) return 0;  // marks that join the letter before
  if (in(0x1100, 0x115f) || in(0x2e80, 0xa4cf) || in(0xac00, 0xd7a3) || in(0xf900, 0xfaff) || in(0xfe30, 0xfe6f) ||
      in(0xff00, 0xff60) || in(0xffe0, 0xffe6) || in(0x1f300, 0x1faff) || in(0x20000, 0x3fffd))
    return 2;  // East Asian
  return 1;
}

}  // namespace

std::string size_text(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  constexpr std::string_view kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (value >= 1023.95 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string duration_text(std::int64_t nanoseconds) {
  const double seconds = static_cast<double>(nanoseconds) / 1e9;
  if (seconds < 9.995) return fmt::format("{:.2f} s", seconds);
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

std::string short_id(std::string_view hex) { return std::string(hex.substr(0, 16)); }

bool is_utf8(ByteView bytes) {
  const std::string_view text = as_text(bytes);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = character_at(text, at).length;
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::string one_line(std::string_view text) {
  std::string line;
  for (std::size_t at = 0; at < text.size();) {
    const Character character = character_at(text, at);
    const bool control = character.code < 0x20 || (character.code >= 0x7f && character.code < 0xa0);
    if (character.length == 0 || control) {
      const std::size_t length = std::max<std::size_t>(character.length, 1);
      for (std::size_t i = 0; i < length; ++i)
        line += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[at + i]));
      at += length;
    } else {
      line += text.substr(at, character.length);
      at += character.length;
    }
  }
  return line;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Character character = character_at(text, at);
    width += character.length == 0 ? 1 : columns_of(character.code);
    at += std::max<std::size_t>(character.length, 1);
  }
  return width;
}

std::string cut_to_width(std::string_view text, std::size_t columns) {
  std::size_t width = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Character character = character_at(text, at);
    width += character.length == 0 ? 1 : columns_of(character.code);
    if (width > columns) return std::string(text.substr(0, at));
    at += std::max<std::size_t>(character.length, 1);
  }
  return std::string(text);
}

std::vector<std::string> Table::lines() const {
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) widths.push_back(display_width(column.heading));
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i]));
  const auto aligned = [&](const auto& cell) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string_view text = cell(i);
      const std::string space(widths[i] - display_width(text), ' ');
      if (i > 0) line += "  ";
      line += columns_[i].align == Align::right ? space + std::string(text) : std::string(text) + space;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
  };
  std::vector<std::string> lines;
  lines.push_back(aligned([&](std::size_t i) -> std::string_view { return columns_[i].heading; }));
  for (const auto& row : rows_) lines.push_back(aligned([&](std::size_t i) -> std::string_view { return row[i]; }));
  return lines;
}

}  // namespace qcbak::cli
