#include "evidence/certificate_health.h"

#include <algorithm>
#include <array>

#include "evidence/html.h"

namespace qcbak::evidence {
namespace {

struct Label {
  std::string_view name;  // of the fact
  const char* vietnamese;
  const char* english;
  const char* unit;
};
constexpr std::array<Label, 10> kLabels{{
    {"temperature_c", "nhiệt độ", "temperature", " °C"},
    {"failing", "", "", ""},  // in words, see below
    {"reallocated_sectors", "sector đã thay", "reallocated", ""},
    {"pending_sectors", "sector chờ thay", "pending", ""},
    {"uncorrectable_sectors", "sector không sửa được", "uncorrectable", ""},
    {"critical_warning", "cờ cảnh báo", "critical warning", ""},
    {"available_spare_percent", "dự phòng còn", "spare", " %"},
    {"used_percent", "tuổi thọ đã dùng", "used", " %"},
    {"media_errors", "lỗi môi trường lưu trữ", "media errors", ""},
    {"exception", "mã ngoại lệ", "exception", ""},
}};

std::string fact_text(const wipe::HealthFact& fact, std::uint64_t value) {
  if (fact.name == "failing")
    return value == 0 ? "ổ đĩa không báo sắp hỏng / not failing" : "ổ đĩa báo sắp hỏng / failing";
  const Label& label = *std::ranges::find(kLabels, fact.name, &Label::name);
  return std::string(label.vietnamese) + " / " + label.english + " " + std::to_string(value) + label.unit;
}

std::string health_text(const wipe::Health& health) {
  std::string text;
  for (const wipe::HealthFact& fact : wipe::health_facts())
    if (const auto& value = health.*fact.value) text += (text.empty() ? "" : "; ") + fact_text(fact, *value);
  return text.empty() ? "ổ đĩa không cho biết gì / the disk tells nothing" : escaped(text);
}

}  // namespace

std::string health_facts(const WipeRun& run) {
  std::string out;
  if (run.health_before) out += fact("Sức khỏe ổ đĩa trước khi xóa", "health before", health_text(*run.health_before));
  if (run.health_after) out += fact("Sức khỏe ổ đĩa sau khi xóa", "health after", health_text(*run.health_after));
  if (const auto& heat = run.progress.heat)
    out += fact("Nhiệt độ cao nhất; số lần nghỉ", "highest; rests",
                std::to_string(heat->highest_c) + " °C; " + std::to_string(heat->rests));
  return out;
}

}  // namespace qcbak::evidence
