#include "cli/site_plan.h"

#include "base/error.h"
#include "cli/messages.h"
#include "cli/text.h"
#include "config/wipe_plan.h"

namespace qcbak::cli {
namespace {

// What `make` refuses, with the line it stands in.
template <class Make>
auto at_line(const config::WipePlan& file, const config::WipePlanStep& step, Make&& make) {
  return in_context(printable(file.file) + ":" + std::to_string(step.line), std::forward<Make>(make));
}

wipe::Step step_of(const config::WipePlan& file, const config::WipePlanStep& from) {
  return at_line(file, from, [&] {
    wipe::Step step{wipe::step_kind_of(from.kind), from_hex(from.pattern)};
    if (from.method.empty()) return step;
    if (step.kind != wipe::StepKind::firmware_erase)
      throw Error(ErrorCode::usage, say("only a step {} has a method", "firmware-erase"));
    step.method = wipe::method_of_name(from.method);
    return step;
  });
}

}  // namespace

wipe::Plan site_plan(const std::string& path) {
  const config::WipePlan file = config::read_wipe_plan(path);
  wipe::Plan plan{file.name, file.version, file.title, file.source, {}};
  for (const config::WipePlanStep& step : file.steps) plan.steps.push_back(step_of(file, step));
  in_context(printable(path), [&] {
    wipe::check_plan(plan);
    wipe::require_own_name(plan);
  });
  return plan;
}

wipe::Plan chosen_plan(const Arguments& arguments) {
  const auto name = arguments.value("plan"), file = arguments.value("plan-file");
  if (name.has_value() == file.has_value())
    throw Error(ErrorCode::usage, std::string(tr("wipe request wants --plan NAME or --plan-file FILE, one of them")))
        .with_hint(std::string(tr("see the plans: qcbak wipe plans")));
  const wipe::Plan plan = name ? wipe::shipped_plan(*name) : site_plan(*file);
  return arguments.has("sample") ? wipe::sampled(plan) : plan;
}

}  // namespace qcbak::cli
