// How numbers, times, names and tables look.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"

namespace qcbak::cli {

std::string size_text(std::uint64_t bytes);           // "1.5 GiB"
std::string duration_text(std::int64_t nanoseconds);  // "12.3 s", "4 min 05 s", "2 h 10 min"
std::string short_id(std::string_view hex);           // the first 16 digits
bool is_utf8(ByteView bytes);
// No control characters and no invalid UTF-8, so that one message is one line; all else stays.
std::string one_line(std::string_view text);
// Columns that a terminal gives it.
std::size_t display_width(std::string_view text);
std::string cut_to_width(std::string_view text, std::size_t columns);

// Columns aligned by their widest cell.
class Table {
 public:
  enum class Align { left, right };
  struct Column {
    std::string heading;
    Align align = Align::left;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.empty(); }
  // The lines; the first is the headings.
  std::vector<std::string> lines() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace qcbak::cli
