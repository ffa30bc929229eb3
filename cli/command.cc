#include "cli/command.h"

#include <charconv>

#include "base/error.h"
#include "cli/messages.h"

namespace qcbak::cli {

void Arguments::set(std::string_view option, std::vector<std::string> values) {
  values_.insert_or_assign(std::string(option), std::move(values));
}

const std::vector<std::string>& Arguments::values(std::string_view option) const {
  const auto at = values_.find(option);
  check(at != values_.end(), "a command asks only for options that it declares");
  return at->second;
}

std::optional<std::string> Arguments::value(std::string_view option) const {
  const std::vector<std::string>& given = values(option);
  return given.empty() ? std::nullopt : std::optional(given.back());
}

std::optional<Time> Arguments::time(std::string_view option) const {
  const auto text = value(option);
  if (!text) return std::nullopt;
  const auto time = parse_time(*text);
  if (!time)
    throw Error(ErrorCode::usage, say("\"{}\" is not a time", printable(*text)))
        .with_hint(std::string(tr("give it as 2026-11-21 or 2026-11-21T09:30:00+07:00")));
  return time;
}

std::uint64_t Arguments::number(std::string_view option, std::uint64_t unless_given, std::uint64_t least,
                                std::uint64_t most) const {
  const std::optional<std::string> given = value(option);
  if (!given) return unless_given;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(given->data(), given->data() + given->size(), number);
  if (error != std::errc() || end != given->data() + given->size() || number < least || number > most)
    throw Error(ErrorCode::usage, say("--{} wants a number from {} to {}, not \"{}\"", option, least, most, *given));
  return number;
}

const std::vector<Option>& output_options() {
  static const std::vector<Option> options = {
      {"json", "",
       "write JSON to standard output, for programs; after an error's line, standard error gets it as an object"},
      {.name = "quiet", .help = "no progress and no summary; errors are still shown", .letter = 'q'},
      {"no-progress", "", "no progress"},
      {.name = "help", .help = "show this help", .letter = 'h'},
  };
  return options;
}

const std::vector<Option>& repository_options() {
  static const std::vector<Option> options = {
      {.name = "repo", .value = "PLACE", .help = "the repository; without it, QCBAK_REPO", .letter = 'r'},
      {"password-file", "FILE", "its first line is the password"},
      {"password-command", "COMMAND", "run by the shell; the first line it prints is the password"},
      {"credential-file", "FILE", "an exported credential instead of a password"},
      {"keys", "DIR", "where custodians' keys lie that are kept apart from the repository"},
      {"cache-dir", "DIR", "where to keep what makes the next run quicker"},
      {"no-cache", "", "use no cache"},
      {"accept-rollback", "", "accept a repository that is older than the one seen before"},
      {"wait", "SECONDS", "how long to wait for another process that is writing; 30 unless given"},
  };
  return options;
}

}  // namespace qcbak::cli
