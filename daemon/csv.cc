#include "daemon/csv.h"

#include "base/error.h"

namespace qcbak::daemon {
namespace {

constexpr std::string_view kMark = "\xEF\xBB\xBF";  // U+FEFF, as some programs begin their files

// Of the character at the beginning, RFC 3629; 0: it is none.
std::size_t utf8_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xC2 && first <= 0xDF   ? 2
                           : (first & 0xF0U) == 0xE0        ? 3
                           : first >= 0xF0 && first <= 0xF4 ? 4
                                                            : 0;
  for (std::size_t i = 1; i < size; ++i)
    if ((byte(i) & 0xC0U) != 0x80) return 0;
  const bool overlong = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xF0 && byte(1) < 0x90);
  const bool beyond = (first == 0xED && byte(1) > 0x9F) || (first == 0xF4 && byte(1) > 0x8F);
  return overlong || beyond ? 0 : size;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {
    if (text.size() > kCsvLimit) throw Error(ErrorCode::usage, "the CSV file has more than 1 MiB");
    if (text_.starts_with(kMark)) text_.remove_prefix(kMark.size());
  }

  std::vector<CsvRow> rows() {
    std::vector<CsvRow> rows;
    while (!text_.empty()) {
      if (rows.size() > kCsvRowLimit) fail("there are more than 5000 lines");
      rows.push_back(row());
      if (rows.back().fields.size() != rows.front().fields.size())
        throw Error(ErrorCode::usage, "line " + std::to_string(rows.back().line) + ": it has " +
                                          std::to_string(rows.back().fields.size()) + " columns, and the first line " +
                                          std::to_string(rows.front().fields.size()));
    }
    if (rows.empty()) throw Error(ErrorCode::usage, "line 1: the names of the columns are missing");
    return rows;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::usage,
                "line " + std::to_string(line_) + ", column " + std::to_string(column_) + ": " + what);
  }

  CsvRow row() {
    CsvRow row{line_, {}};
    column_ = 1;
    for (;; ++column_) {
      if (column_ > kCsvColumnLimit) fail("there are more than 64 columns");
      row.fields.push_back(!text_.empty() && text_.front() == '"' ? quoted() : plain());
      if (at_end_of_line()) return row;
      if (text_.front() != ',') fail("after the closing \" a comma is wanted, or the end of the line");
      text_.remove_prefix(1);
    }
  }

  bool at_end_of_line() {
    if (text_.empty()) return true;
    const std::size_t size = text_.starts_with("\r\n") ? 2 : text_.front() == '\n' ? 1 : 0;
    text_.remove_prefix(size);
    if (size > 0) ++line_;
    return size > 0;
  }

  void take(std::string& field) {
    const std::size_t size = utf8_size(text_);
    if (size == 0) fail("it is no UTF-8");
    const unsigned char first = static_cast<unsigned char>(text_.front());
    if (first < 0x20 || first == 0x7F) fail("it has a control character, or a line's end");
    field += text_.substr(0, size);
    text_.remove_prefix(size);
    if (field.size() > kCsvFieldLimit) fail("a field has at most 1024 bytes");
  }

  std::string plain() {
    std::string field;
    while (!text_.empty() && text_.front() != ',' && text_.front() != '\n' && !text_.starts_with("\r\n")) {
      if (text_.front() == '"') fail("a \" stands only in a field that begins with one");
      take(field);
    }
    return field;
  }

  std::string quoted() {
    std::string field;
    text_.remove_prefix(1);
    while (!text_.empty()) {
      if (text_.front() != '"') {
        take(field);
        continue;
      }
      text_.remove_prefix(1);
      if (text_.empty() || text_.front() != '"') return field;
      take(field);
    }
    fail("the closing \" is missing");
  }

  std::string_view text_;
  std::size_t line_ = 1;
  std::size_t column_ = 1;
};

bool is_formula(const std::string& field) {
  return !field.empty() && std::string_view("=+-@\t\r").find(field.front()) != std::string_view::npos;
}

}  // namespace

std::vector<CsvRow> parse_csv(std::string_view text) { return Parser(text).rows(); }

std::string csv_line(const std::vector<std::string>& fields) {
  std::string line;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    std::string field = is_formula(fields[i]) ? "'" + fields[i] : fields[i];
    if (i > 0) line += ',';
    if (field.find_first_of(",\"\r\n") == field.npos) {
      line += field;
      continue;
    }
    line += '"';
    for (const char c : field) line += c == '"' ? std::string("\"\"") : std::string(1, c);
    line += '"';
  }
  return line + "\r\n";
}

}  // namespace qcbak::daemon
