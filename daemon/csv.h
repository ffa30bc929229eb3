// Comma-separated values, read strictly (RFC 4180) and written so that no spreadsheet takes a field for a formula. docs/media.md "CSV".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace qcbak::daemon {

inline constexpr std::size_t kCsvLimit = 1U << 20;
inline constexpr std::size_t kCsvRowLimit = 5000;  // an entry of the log has room for them
inline constexpr std::size_t kCsvColumnLimit = 64;
inline constexpr std::size_t kCsvFieldLimit = 1024;  // bytes

struct CsvRow {
  std::size_t line = 0;  // where it begins, from 1 on
  std::vector<std::string> fields;
};

// Every row has as many fields as the first one; there is at least that one. Error(usage), naming line and column, for anything
// else: also for what is no UTF-8, or has control characters.
std::vector<CsvRow> parse_csv(std::string_view text);
// One line with its CRLF.
std::string csv_line(const std::vector<std::string>& fields);

}  // namespace qcbak::daemon
