#include "daemon/request_target.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"

namespace qcbak::daemon {

RequestTarget parse_target(std::string_view text) {
  RequestTarget target;
  const std::size_t mark = text.find('?');
  std::string_view path = text.substr(0, mark);
  while (!path.empty()) {
    if (path.front() != '/') throw Error(ErrorCode::usage, "a target starts with \"/\"");
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    target.path.emplace_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  std::string_view query = mark == std::string_view::npos ? "" : text.substr(mark + 1);
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    target.query.emplace(pair.substr(0, equals), equals < pair.size() ? pair.substr(equals + 1) : "");
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return target;
}

std::int64_t number_of(const RequestTarget& target, const std::string& name, std::int64_t unless_given,
                       std::int64_t most) {
  const auto found = target.query.find(name);
  if (found == target.query.end()) return unless_given;
  std::int64_t value = 0;
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > most)
    throw Error(ErrorCode::usage, name + " is a number from 1 to " + std::to_string(most));
  return value;
}

}  // namespace qcbak::daemon
