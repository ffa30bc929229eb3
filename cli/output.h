// Where a command's result and its warnings go. Nothing but the result goes to standard output.
#pragma once

#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "cli/json.h"
#include "cli/text.h"

namespace qcbak::cli {

// Thrown when nobody reads standard output any more; the program then ends without a word.
struct OutputClosed {};

class Output {
 public:
  enum class Style { plain, heading, good, bad, faint };

  Output(std::string_view program, std::stop_token stop) : program_(program), stop_(std::move(stop)) {}
  void choose(bool json, bool quiet, bool progress);

  bool json() const { return json_; }
  bool quiet() const { return quiet_; }
  // Progress was not refused, and somebody can see it.
  bool progress_on_terminal() const { return progress_ && !quiet_ && !json_ && error_is_terminal_; }
  bool progress_as_json() const { return progress_ && !quiet_ && json_; }

  // To standard output. Thread-safe. Throw Error(interrupted) once the program was asked to stop, OutputClosed,
  // Error(io, no_space).
  void line(std::string_view text);
  void bytes(ByteView bytes);
  void document(const Json& value) { line(to_text(value)); }
  void table(const Table& table);
  void flush();
  // With colour where it may be used.
  std::string styled(Style style, std::string_view text) const;

  // To standard error, one line: "qcbak: …".
  void warn(std::string_view text);
  void error(const Error& error);

 private:
  void write(std::string_view text);
  void write_pending();
  std::string program_;
  std::stop_token stop_;
  bool json_ = false;
  bool quiet_ = false;
  bool progress_ = true;
  bool colour_ = false;
  bool error_is_terminal_ = false;
  std::mutex mutex_;
  std::string pending_;
};

// One JSON array, an element a line, without holding it in memory. Does nothing unless JSON is asked for.
class JsonList {
 public:
  explicit JsonList(Output& output) : output_(output) {}
  void add(const Json& value);
  void finish();

 private:
  Output& output_;
  std::string last_;  // held back until it is known whether a comma follows
  bool any_ = false;
};

}  // namespace qcbak::cli
