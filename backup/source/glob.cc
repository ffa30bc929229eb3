#include "backup/source/glob.h"

#include <algorithm>

#include "base/error.h"
#include "base/unique_fd.h"

namespace qcbak::source {
namespace {

using Component = Patterns::Component;
using Element = Patterns::Element;

constexpr std::size_t kFileLimitBytes = 16 * 1024 * 1024;
// Bytes that are no UTF-8 become characters beyond Unicode, so that each still matches itself.
constexpr char32_t kFirstByteCharacter = 0x110000;

// Takes the next character off `text`.
char32_t take_character(std::string_view& text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  const std::size_t length = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : (first & 0xf0) == 0xe0 ? 3
                             : first >= 0xf0 && first < 0xf5                  ? 4 : 0;
  constexpr unsigned kFirstBits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  bool valid = length != 0 && length <= text.size();
  char32_t character = first & kFirstBits[length];
  for (std::size_t i = 1; valid && i < length; ++i) {
    valid = (byte(i) & 0xc0U) == 0x80;
    character = character << 6 | (byte(i) & 0x3fU);
  }
  valid = valid && character >= kLeast[length];
  text.remove_prefix(valid ? length : 1);
  return valid ? character : kFirstByteCharacter + first;
}

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, slash);
    if (!part.empty() && part != ".") parts.push_back(part);
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return parts;
}

std::vector<std::u32string> decode(std::string_view path) {
  std::vector<std::u32string> components;
  for (std::string_view part : split(path)) {
    std::u32string& characters = components.emplace_back();
    while (!part.empty()) characters.push_back(take_character(part));
  }
  return components;
}

[[noreturn]] void refuse(std::string_view pattern, std::string_view why) {
  throw Error(ErrorCode::usage, "pattern \"" + printable(pattern) + "\": " + std::string(why));
}

char32_t take_escaped(std::string_view& text, std::string_view pattern) {
  char32_t character = take_character(text);
  if (character != U'\\') return character;
  if (text.empty()) refuse(pattern, "nothing follows the last \\");
  return take_character(text);
}

// The set whose '[' was just taken. A ']' that comes first is a member.
Element take_set(std::string_view& text, std::string_view pattern) {
  Element set{.kind = Element::Kind::set};
  if (text.starts_with('!') || text.starts_with('^')) {
    set.negated = true;
    text.remove_prefix(1);
  }
  do {
    if (text.empty()) break;
    const char32_t first = take_escaped(text, pattern);
    char32_t last = first;
    if (text.size() >= 2 && text[0] == '-' && text[1] != ']') {
      text.remove_prefix(1);
      last = take_escaped(text, pattern);
    }
    if (last < first) refuse(pattern, "a range in [ ] runs backwards");
    set.ranges.push_back(first);
    set.ranges.push_back(last);
  } while (!text.starts_with(']') && !text.empty());
  if (text.empty()) refuse(pattern, "a [ is not closed by ] before the next /");
  text.remove_prefix(1);
  return set;
}

Component compile(std::string_view text, std::string_view pattern) {
  if (text == "..") refuse(pattern, ".. has no place in a pattern");
  Component component;
  if (text == "**") {
    component.any_depth = true;
    return component;
  }
  while (!text.empty()) {
    const char front = text.front();
    if (front != '*' && front != '?' && front != '[') {
      component.elements.push_back({.character = take_escaped(text, pattern)});
      continue;
    }
    text.remove_prefix(1);
    if (front == '[')
      component.elements.push_back(take_set(text, pattern));
    else if (front == '?')
      component.elements.push_back({.kind = Element::Kind::any_one});
    else if (component.elements.empty() || component.elements.back().kind != Element::Kind::any_run)
      component.elements.push_back({.kind = Element::Kind::any_run});
  }
  return component;
}

bool matches_one(const Element& element, char32_t character) {
  if (element.kind == Element::Kind::any_one) return true;
  if (element.kind == Element::Kind::character) return element.character == character;
  bool member = false;
  for (std::size_t i = 0; i < element.ranges.size(); i += 2)
    member = member || (element.ranges[i] <= character && character <= element.ranges[i + 1]);
  return member != element.negated;
}

// On a mismatch only the last `*` is made longer: an earlier one could only reach what the last one reaches too. Time is
// at most the two lengths multiplied.
bool matches_name(const std::vector<Element>& elements, const std::u32string& name) {
  constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::size_t at = 0, element = 0, run = kNone, run_end = 0;
  while (at < name.size()) {
    if (element < elements.size() && elements[element].kind == Element::Kind::any_run) {
      run = element++;
      run_end = at;
    } else if (element < elements.size() && matches_one(elements[element], name[at])) {
      ++element;
      ++at;
    } else if (run != kNone) {
      element = run + 1;
      at = ++run_end;
    } else {
      return false;
    }
  }
  while (element < elements.size() && elements[element].kind == Element::Kind::any_run) ++element;
  return element == elements.size();
}

}  // namespace

Patterns::Patterns(std::string_view base) {
  for (std::u32string& name : decode(base)) {
    Component& component = base_.emplace_back();
    for (char32_t character : name) component.elements.push_back({.character = character});
  }
}

void Patterns::add(std::string_view pattern) {
  if (pattern.size() > kLengthLimit) refuse(pattern.substr(0, 64), "longer than 4096 bytes");
  std::string_view text = pattern;
  Pattern compiled;
  if (text.starts_with('!')) {
    compiled.takes_back = true;
    text.remove_prefix(1);
  }
  const bool from_root = text.starts_with('/');
  compiled.directories_only = text.ends_with('/');
  const std::size_t inner = text.find('/');
  const bool anchored = inner != text.npos && inner + 1 < text.size();
  if (anchored && !from_root) compiled.components = base_;
  if (!anchored) compiled.components.push_back({.any_depth = true, .elements = {}});

  const std::vector<std::string_view> parts = split(text);
  if (parts.empty()) refuse(pattern, "it names nothing");
  for (std::string_view part : parts) {
    Component component = compile(part, pattern);
    const bool repeated = component.any_depth && !compiled.components.empty() && compiled.components.back().any_depth;
    if (!repeated) compiled.components.push_back(std::move(component));
  }
  // What is inside, not the directory itself.
  if (compiled.components.back().any_depth)
    compiled.components.push_back({.elements = {{.kind = Element::Kind::any_run}}});
  patterns_.push_back(std::move(compiled));
}

void Patterns::add_file(const std::string& path) {
  const Bytes bytes = read_file(path, kFileLimitBytes);
  std::string_view text = as_text(bytes);
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with('#')) continue;
    in_context(printable(path) + ", line " + std::to_string(number), [&] { add(line); });
  }
}

// Follows all positions in the pattern at once, a component of the path at a time: `live[i]` says that the path so far
// may be matched by the first i components of the pattern.
Patterns::Reach Patterns::follow(const Pattern& pattern, const std::vector<std::u32string>& path, bool is_directory) {
  const std::vector<Component>& components = pattern.components;
  const std::size_t end = components.size();
  std::vector<char> live(end + 1, 0), next;
  live[0] = 1;
  for (std::size_t depth = 0;; ++depth) {
    bool any = false;
    for (std::size_t i = 0; i < end; ++i) {
      if (live[i] && components[i].any_depth) live[i + 1] = 1;
      any = any || live[i];
    }
    // A path above the whole one is a directory.
    if (live[end] && (!pattern.directories_only || is_directory || depth < path.size())) return Reach::whole;
    if (!any) return Reach::none;
    if (depth == path.size()) return Reach::on_the_way;
    next.assign(end + 1, 0);
    for (std::size_t i = 0; i < end; ++i) {
      if (!live[i]) continue;
      if (components[i].any_depth)
        next[i] = 1;
      else if (matches_name(components[i].elements, path[depth]))
        next[i + 1] = 1;
    }
    live.swap(next);
  }
}

bool Patterns::matches(std::string_view path, bool is_directory) const {
  if (patterns_.empty()) return false;
  const std::vector<std::u32string> components = decode(path);
  const auto last = std::find_if(patterns_.rbegin(), patterns_.rend(), [&](const Pattern& pattern) {
    return follow(pattern, components, is_directory) == Reach::whole;
  });
  return last != patterns_.rend() && !last->takes_back;
}

bool Patterns::may_match_below(std::string_view directory) const {
  const std::vector<std::u32string> components = decode(directory);
  return std::any_of(patterns_.begin(), patterns_.end(), [&](const Pattern& pattern) {
    return !pattern.takes_back && follow(pattern, components, true) != Reach::none;
  });
}

}  // namespace qcbak::source
