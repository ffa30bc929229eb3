#include "evidence/certificate_firmware.h"

#include <algorithm>

#include "evidence/html.h"

namespace qcbak::evidence {
namespace {

using wipe::StepProgress;

template <class Has>
const StepProgress* step_that(const WipeRun& run, Has&& has) {
  const auto found = std::ranges::find_if(run.progress.steps, has);
  return found == run.progress.steps.end() ? nullptr : &*found;
}

const StepProgress* erasing_step(const WipeRun& run) {
  return step_that(run, [](const StepProgress& step) { return step.firmware.has_value(); });
}

const StepProgress* checking_step(const WipeRun& run) {
  return step_that(run, [](const StepProgress& step) { return step.remains.has_value(); });
}

std::string acceptance_text(wipe::Acceptance acceptance) {
  switch (acceptance) {
    case wipe::Acceptance::seen: return "đã nhận lệnh / accepted";
    case wipe::Acceptance::refused: return "từ chối / refused";
    case wipe::Acceptance::unseen: break;
  }
  return "không rõ đã nhận / not seen to accept";
}

std::string completion_text(wipe::Completion completion) {
  switch (completion) {
    case wipe::Completion::seen: return "đã hoàn thành / completed";
    case wipe::Completion::failed: return "thất bại / failed";
    case wipe::Completion::unseen: break;
  }
  return "không rõ kết thúc / not seen to complete";
}

std::string markers_text(const wipe::Remains& remains) {
  return "đã mất / gone " + std::to_string(remains.markers_changed) + "; còn nguyên / unchanged " +
         std::to_string(remains.markers_unchanged) + "; không đọc được / unreadable " +
         std::to_string(remains.markers_unreadable);
}

std::string area_text(const wipe::HiddenArea& area) {
  return std::string(wipe::hidden_kind_name(area.kind)) + " " + std::to_string(area.hidden_bytes) +
         " byte: " + (area.removed ? "đã gỡ bỏ / removed" : "còn lại / remains");
}

// Only ATA disks hide a part of themselves in a way that can be asked for.
bool was_asked_for_hidden_areas(const WipeRun& run) {
  return step_that(run, [](const StepProgress& step) {
           return (step.hidden && !step.hidden->commands.empty()) ||
                  (step.firmware && wipe::method_row(step.firmware->method).command_set == wipe::CommandSet::ata);
         }) != nullptr;
}

std::string hidden_text(const WipeRun& run) {
  if (!was_asked_for_hidden_areas(run)) return "không hỏi: không phải ổ ATA / not asked: no ATA disk";
  std::string text;
  const auto add = [&](const std::vector<wipe::HiddenArea>& areas) {
    for (const wipe::HiddenArea& area : areas) text += (text.empty() ? "" : "; ") + area_text(area);
  };
  for (const StepProgress& step : run.progress.steps) {
    if (step.hidden) add(step.hidden->areas);
    if (step.firmware) add(step.firmware->hidden_areas);
  }
  return text.empty() ? "không thấy / none found" : text;
}

std::string size_facts(const WipeRun& run) {
  std::uint64_t size_bytes = run.geometry.size_bytes;
  for (const StepProgress& step : run.progress.steps) size_bytes = step.size_bytes.value_or(size_bytes);
  if (size_bytes == run.geometry.size_bytes) return "";
  return fact("Dung lượng trước; sau", "size before; after",
              std::to_string(run.geometry.size_bytes) + "; " + std::to_string(size_bytes) + " byte");
}

std::string signatures_text(const wipe::Remains& remains) {
  std::string text;
  for (const std::string& signature : remains.signatures) text += (text.empty() ? "" : "; ") + escaped(signature);
  return text.empty() ? "không thấy / none found" : text;
}

std::string erasure_facts(const WipeRun& run) {
  const StepProgress* const erasing = erasing_step(run);
  if (erasing == nullptr) return "";
  const wipe::FirmwareProgress& firmware = *erasing->firmware;
  std::string out =
      fact("Lệnh của ổ đĩa", "the disk's command", escaped(std::string(wipe::method_name(firmware.method)))) +
      fact("Ổ đĩa trả lời", "the disk said",
           acceptance_text(firmware.acceptance) + "; " + completion_text(firmware.completion)) +
      fact("Số lệnh đã gửi", "commands sent", std::to_string(firmware.commands.size()));
  if (firmware.password_remains) out += fact("Mật khẩu", "password", "\"qcbak\" còn lại / remains");
  if (const StepProgress* const checking = checking_step(run))
    out += fact("Dấu kiểm tra", "markers written before", markers_text(*checking->remains)) +
           fact("Dấu vết định dạng", "signatures of formats", signatures_text(*checking->remains));
  return out;
}

bool looked_for_hidden_areas(const WipeRun& run) {
  return step_that(run, [](const StepProgress& step) { return step.hidden || step.firmware; }) != nullptr;
}

std::string discard_facts(const WipeRun& run, const wipe::Plan& plan) {
  if (plan.steps.back().kind != wipe::StepKind::discard) return "";
  const bool was_reached = run.progress.steps.size() == plan.steps.size();
  const bool went_well = was_reached && run.progress.steps.back().ended && run.progress.steps.back().errors == 0;
  return fact("Báo cho ổ đĩa là không cần nội dung nữa (discard)", "no erasure, and no part of the category",
              went_well ? "đã báo / told" : "không được / not done");
}

}  // namespace

std::string erasure_statement(const WipeRun& run) {
  const StepProgress* const erasing = erasing_step(run);
  const StepProgress* const checking = checking_step(run);
  if (erasing == nullptr || checking == nullptr) return "";
  const std::string method = escaped(std::string(wipe::method_name(erasing->firmware->method)));
  const std::string markers = std::to_string(checking->remains->markers_changed);
  return both(
      "Ổ đĩa đã nhận lệnh <b>" + method + "</b> của chính nó và báo đã hoàn thành; " + markers +
          " dấu ghi trước đó không còn. Các ô nhớ mà không ai truy cập được có thay đổi hay không, chỉ ổ đĩa biết.",
      "The disk accepted its own command " + method + " and said that it was completed; " + markers +
          " markers that were written before were gone. Whether the cells that nobody can address have changed "
          "too, only the disk can say.");
}

std::string firmware_facts(const WipeRun& run, const wipe::Plan& plan) {
  std::string out = erasure_facts(run);
  if (looked_for_hidden_areas(run)) out += fact("Vùng ẩn", "hidden areas", hidden_text(run)) + size_facts(run);
  return out + discard_facts(run, plan);
}

}  // namespace qcbak::evidence
