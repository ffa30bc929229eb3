// Which paths a backup leaves out and which a restore picks: patterns, in the manner of gitignore.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace qcbak::source {

// `*` matches any run of characters but '/', `?` one character but '/', `[a-z]` and `[!a-z]` one of a set, `\` takes the
// next character as it is. A character is one of UTF-8, or a single byte where a name is not UTF-8.
//   name          without '/': an entry of this name at any depth
//   /a/b          from the root of the paths
//   a/b, ./a      with '/': from `base`
//   a/**/b        `**` as a whole component: any number of directories, none too; at the end: all that is inside
//   name/         directories only
//   !pattern      takes back what an earlier pattern matched; the last that matches decides (\! for a name with '!')
// What matches a directory matches all that is below it.
class Patterns {
 public:
  // Where patterns with an inner '/' start: a path without wildcards, "" for the root.
  Patterns() = default;
  explicit Patterns(std::string_view base);

  // Throws Error(usage) saying what is wrong: empty, an unclosed '[', a trailing '\', "..", or longer than kLengthLimit.
  void add(std::string_view pattern);
  // One a line; empty lines and those that start with '#' are skipped (\# for a name with '#').
  void add_file(const std::string& path);

  bool empty() const { return patterns_.empty(); }
  // A leading '/' of `path` makes no difference. Takes time in proportion to the lengths of path and patterns multiplied,
  // never more.
  bool matches(std::string_view path, bool is_directory) const;
  // Whether something below the directory may match, so that a search must look inside.
  bool may_match_below(std::string_view directory) const;

  static constexpr std::size_t kLengthLimit = 4096;

  // One element of a component: a character, a set of them, or a wildcard.
  struct Element {
    enum class Kind : std::uint8_t { character, any_one, any_run, set } kind = Kind::character;
    bool negated = false;       // set
    char32_t character = 0;     // character
    std::u32string ranges = {};  // set: pairs of first and last
  };
  struct Component {
    bool any_depth = false;  // "**"
    std::vector<Element> elements;
  };

 private:
  struct Pattern {
    std::vector<Component> components;
    bool directories_only = false;
    bool takes_back = false;
  };
  enum class Reach { none, on_the_way, whole };
  static Reach follow(const Pattern& pattern, const std::vector<std::u32string>& path, bool is_directory);

  std::vector<Component> base_;
  std::vector<Pattern> patterns_;
};

}  // namespace qcbak::source
