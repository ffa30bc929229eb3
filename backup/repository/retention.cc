#include "backup/repository/retention.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <map>

#include "base/error.h"

namespace qcbak::repository {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

struct PeriodRule {
  const char* name;
  unsigned KeepRule::*count;
  const char* format;  // strftime: equal text, equal period
};
constexpr PeriodRule kPeriodRules[] = {
    {"daily", &KeepRule::daily, "%Y-%m-%d"},
    {"weekly", &KeepRule::weekly, "%G-W%V"},
    {"monthly", &KeepRule::monthly, "%Y-%m"},
    {"yearly", &KeepRule::yearly, "%Y"},
};

std::string period_of(Time time, const char* format) {
  const auto seconds = static_cast<std::time_t>(time.ns / kSecond - (time.ns % kSecond < 0 ? 1 : 0));
  std::tm local{};
  check(::localtime_r(&seconds, &local) != nullptr, "a time in nanoseconds has a year that fits");
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), format, &local)};
}

std::string format_duration(std::int64_t ns) {
  constexpr std::pair<std::int64_t, char> kUnits[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
  for (const auto& [seconds, letter] : kUnits)
    if (ns % (seconds * kSecond) == 0) return std::to_string(ns / (seconds * kSecond)) + letter;
  return std::to_string(ns) + "ns";
}

void add_reason(RetentionDecision& decision, const std::string& reason) {
  decision.keep = true;
  decision.reason += (decision.reason.empty() ? "" : ", ") + reason;
}

// `newest_first`: the places of one group's candidates.
void apply_rule(const KeepRule& rule, const std::vector<RetentionCandidate>& candidates,
                const std::vector<std::size_t>& newest_first, std::vector<RetentionDecision>& decisions) {
  for (std::size_t rank = 0; rank < std::min<std::size_t>(rule.last, newest_first.size()); ++rank)
    add_reason(decisions[newest_first[rank]], "last");
  for (const PeriodRule& period_rule : kPeriodRules) {
    unsigned left = rule.*period_rule.count;
    std::string previous;
    for (const std::size_t place : newest_first) {
      if (left == 0) break;
      std::string period = period_of(candidates[place].time, period_rule.format);
      if (period == previous) continue;
      add_reason(decisions[place], std::string(period_rule.name) + " " + period);
      previous = std::move(period);
      --left;
    }
  }
  if (!rule.within_ns || *rule.within_ns < 0) return;
  const auto ns = [&](std::size_t place) { return static_cast<std::uint64_t>(candidates[place].time.ns); };
  for (const std::size_t place : newest_first)
    if (ns(newest_first.front()) - ns(place) <= static_cast<std::uint64_t>(*rule.within_ns))
      add_reason(decisions[place], "within " + format_duration(*rule.within_ns));
}

}  // namespace

std::vector<RetentionDecision> decide_retention(const KeepRule& rule,
                                                const std::vector<RetentionCandidate>& candidates) {
  std::vector<RetentionDecision> decisions(candidates.size());
  std::map<std::string, std::vector<std::size_t>> groups;
  for (std::size_t place = 0; place < candidates.size(); ++place) {
    decisions[place].id = candidates[place].id;
    groups[candidates[place].group].push_back(place);
  }
  for (auto& [group, places] : groups) {
    // Of equal times the later in the list is the newer: the log's commits come in order.
    std::sort(places.begin(), places.end(), [&](std::size_t a, std::size_t b) {
      return candidates[a].time != candidates[b].time ? candidates[a].time > candidates[b].time : a > b;
    });
    apply_rule(rule, candidates, places, decisions);
  }
  for (std::size_t place = 0; place < candidates.size(); ++place) {
    if (rule.empty()) add_reason(decisions[place], "no rule");
    if (candidates[place].locked) add_reason(decisions[place], "held or locked");
  }
  return decisions;
}

}  // namespace qcbak::repository
