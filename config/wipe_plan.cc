#include "config/wipe_plan.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "config/value.h"

namespace qcbak::config {
namespace {

constexpr std::size_t kNameLimit = 64;

// It becomes part of file names and of what people type.
std::string name_from(const Value& value) {
  std::string name = value.text();
  const bool plain = std::ranges::all_of(
      name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; });
  if (!plain || name.front() == '-' || name.front() == '.' || name.size() > kNameLimit)
    value.fail("a plan's name is made of small letters, digits, \"-\" and \".\", 64 at most");
  return name;
}

// The document of a plan is plain, so that everybody reads the same in it.
std::string plain_text(const Value& value) {
  std::string text = value.text();
  if (!std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; })) value.fail("it is not plain ASCII");
  return text;
}

std::string hexadecimal(const Value& value) {
  const std::string text = value.text();
  std::string lower = text;
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
  try {
    return to_hex(from_hex(lower));
  } catch (const Error&) {
    value.fail("it is \"" + printable(text) + "\", which is not bytes in hexadecimal");
  }
}

constexpr std::array<Option<WipePlan>, 5> kPlanOptions = {{
    {"name", "text", "", "the plan's name", [](WipePlan& p, const Value& v) { p.name = name_from(v); },
     Option<WipePlan>::Presence::required},
    {"version", "number", "1", "raised with every change",
     [](WipePlan& p, const Value& v) { p.version = static_cast<std::uint32_t>(v.integer(1, 1'000'000)); }},
    {"title", "text", "", "for people", [](WipePlan& p, const Value& v) { p.title = plain_text(v); },
     Option<WipePlan>::Presence::required},
    {"source", "text", "", "what asks for it", [](WipePlan& p, const Value& v) { p.source = plain_text(v); },
     Option<WipePlan>::Presence::required},
    {"step", "tables", "", "what is done, as [[step]]", [](WipePlan&, const Value&) {},
     Option<WipePlan>::Presence::required},
}};

constexpr std::array<Option<WipePlanStep>, 3> kStepOptions = {{
    {"kind", "text", "", "what the step does", [](WipePlanStep& s, const Value& v) { s.kind = plain_text(v); },
     Option<WipePlanStep>::Presence::required},
    {"pattern", "text", "", "the bytes that are written",
     [](WipePlanStep& s, const Value& v) { s.pattern = hexadecimal(v); }},
    {"method", "text", "", "the command that erases",
     [](WipePlanStep& s, const Value& v) { s.method = plain_text(v); }},
}};

void read_steps(const toml::node& node, WipePlan& plan, Reading& reading) {
  const toml::array* const array = node.as_array();
  if (array == nullptr) fail_at(reading, node, "step", "steps are written as [[step]]");
  if (array->size() > kWipePlanStepLimit) fail_at(reading, node, "step", "there are more than 64");
  for (std::size_t i = 0; i < array->size(); ++i) {
    const toml::node& item = (*array)[i];
    const std::string path = "step[" + std::to_string(i + 1) + "]";
    if (!item.is_table()) fail_at(reading, item, path, "it is not a table");
    WipePlanStep& step = plan.steps.emplace_back();
    step.line = static_cast<int>(item.source().begin.line);
    read_section<WipePlanStep>(*item.as_table(), path, kStepOptions, step, reading);
  }
}

toml::table parse_toml(std::string_view text, const std::string& file) {
  try {
    return toml::parse(text, file);
  } catch (const toml::parse_error& error) {
    throw Error(ErrorCode::usage, printable(file) + ":" + std::to_string(error.source().begin.line) + ": " +
                                      std::string(error.description()))
        .with_hint("the file is TOML; see a plan of one's own in qcbak-wipe-request(1)");
  }
}

}  // namespace

WipePlan parse_wipe_plan(std::string_view text, const std::string& file) {
  if (text.size() > kWipePlanFileLimit)
    throw Error(ErrorCode::usage, printable(file) + ": it is longer than 64 KiB")
        .with_hint("a plan has 64 steps at most");
  const toml::table root = parse_toml(text, file);
  Reading reading{file, {}};
  WipePlan plan;
  plan.file = file;
  read_section<WipePlan>(root, "", kPlanOptions, plan, reading);
  read_steps(*root.get("step"), plan, reading);
  return plan;
}

WipePlan read_wipe_plan(const std::string& path) {
  const Bytes text = read_file(path, kWipePlanFileLimit);
  return parse_wipe_plan(as_text(text), path);
}

}  // namespace qcbak::config
