#include "cli/snapshot_choice.h"

#include "cli/messages.h"
#include "cli/text.h"

namespace qcbak::cli {

const std::vector<Option>& narrowing_options() {
  static const std::vector<Option> options = {
      {.name = "label", .value = "KEY=VALUE", .help = "only snapshots with this label", .times = Option::Times::many},
      {"host", "HOST", "only snapshots of this host"},
      {"path", "PATH", "only snapshots that hold this path"},
      {"domain", "NAME", "only snapshots of this domain"},
  };
  return options;
}

std::vector<Option> with_narrowing(std::vector<Option> options) {
  options.insert(options.end(), narrowing_options().begin(), narrowing_options().end());
  return options;
}

SnapshotFilter filter_from(const Arguments& arguments) {
  SnapshotFilter filter;
  for (const std::string& label : arguments.values("label")) filter.labels.push_back(parse_label(label));
  filter.host = arguments.text("host");
  filter.path = arguments.text("path");
  filter.domain = arguments.text("domain");
  return filter;
}

std::string require_utf8(std::string_view text, std::string_view what) {
  if (!is_utf8(as_bytes(text))) throw Error(ErrorCode::usage, say("{} must be UTF-8 text: {}", what, printable(text)));
  return std::string(text);
}

std::pair<std::string, std::string> parse_label(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0)
    throw Error(ErrorCode::usage, say("a label looks like KEY=VALUE, not \"{}\"", printable(text)));
  require_utf8(text, tr("a label"));
  return {std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
}

SnapshotPath parse_snapshot_path(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return {std::string(text), "/"};
  return {std::string(text.substr(0, colon)), normal_path(text.substr(colon + 1))};
}

repository::SnapshotInfo choose_snapshot(Session& session, const Arguments& arguments, std::string_view text) {
  return find_snapshot(session.repository(), text, filter_from(arguments));
}

}  // namespace qcbak::cli
