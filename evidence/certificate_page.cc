#include "evidence/certificate_page.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "crypto/public_key_file.h"
#include "evidence/certificate_firmware.h"
#include "evidence/certificate_health.h"
#include "evidence/html.h"
#include "wipe/sample.h"

namespace qcbak::evidence {
namespace {

constexpr const char* kStyle =
    "@page{size:A4;margin:14mm 15mm}*{box-sizing:border-box}"
    "body{font:9.5pt/1.35 'Noto Sans','DejaVu Sans',sans-serif;color:#111;margin:1.5em auto;max-width:190mm}"
    "section{page-break-after:always}section:last-child{page-break-after:auto}"
    "h1{font-size:15pt;margin:0}h2{font-size:10.5pt;margin:1em 0 .3em;border-bottom:1px solid #888}"
    "p{margin:.4em 0}p.en,small{color:#555;font-size:8pt}h2 small{font-weight:400}"
    "table{border-collapse:collapse;width:100%;margin:.4em 0;font-size:8.5pt}td.t{white-space:nowrap}"
    "th,td{border:1px solid #888;padding:.2em .4em;text-align:left;vertical-align:top;overflow-wrap:break-word}"
    "th{background:#eee;font-weight:600}td.n,th.n{text-align:right}tr,.sign{page-break-inside:avoid}"
    "thead{display:table-header-group}code{font-size:7.5pt;overflow-wrap:anywhere}"
    "dl{display:grid;grid-template-columns:54mm 1fr;gap:.12em .8em;margin:.3em 0}dt{font-weight:600}"
    "dd{margin:0;overflow-wrap:anywhere}dd.blank{border-bottom:1px dotted #555;min-height:1.3em}"
    ".says{border:1px solid #111;padding:.4em .7em;margin:.6em 0}.none{border:2px solid #111;padding:.6em .9em}"
    ".sign{display:grid;grid-template-columns:1fr 1fr 1fr;gap:.8em 1.5em;margin-top:.8em}"
    ".sign div{border-top:1px solid #888;padding-top:.2em;min-height:22mm}"
    "@media print{body{margin:0;max-width:none}}";

using Sentence = std::pair<const char*, const char*>;  // English and Vietnamese

constexpr Sentence kSentences[] = {
    {"everything was written and read back", "mọi khối đã được ghi và đọc lại"},
    {"everything was read back; some blocks failed on the way", "mọi khối đã được đọc lại; một số khối có lỗi trong quá trình"},
    {"nothing was done to the disk", "chưa làm gì trên ổ đĩa"},
    {"the disk's own erasure was seen to succeed", "đã thấy lệnh xóa của chính ổ đĩa thành công"},
    {"the plan has steps whose outcome is not known", "quy trình có bước không rõ kết quả"},
    {"a step of the plan did not come to its end", "một bước của quy trình chưa kết thúc"},
    {"the disk did not answer any more, and was given up", "ổ đĩa không còn trả lời, và đã bị bỏ lại"},
    {"the disk was too slow, and was given up", "ổ đĩa quá chậm, và đã bị bỏ lại"},
    {"blocks could not be written in the last pass", "có khối không ghi được ở lượt cuối"},
    {"blocks could not be read back", "có khối không đọc lại được"},
    {"blocks did not hold what was written, as in an earlier run", "có khối không giữ đúng nội dung đã ghi, như ở lần chạy trước"},
    {"blocks did not hold what was written", "có khối không giữ đúng nội dung đã ghi"},
    {"everything was written, and a sample of it was read back", "mọi khối đã được ghi và một mẫu đã được đọc lại"},
    {"a sample of the disk was read back; some blocks failed on the way", "một mẫu của ổ đĩa đã được đọc lại; một số khối có lỗi trong quá trình"},
    {"nothing was read back, and no erasure was seen", "không đọc lại gì và không thấy việc xóa nào"},
    {"a part of the disk is hidden, and nobody could look at it", "một phần của ổ đĩa bị ẩn và không ai xem được"},
    {"the disk's own erasure was seen to succeed, by a command that amounts to Clear", "đã thấy lệnh xóa của chính ổ đĩa thành công, với lệnh ở mức Clear"},
    {"the disk refused a command that it says it has", "ổ đĩa từ chối một lệnh mà nó báo là có"},
    {"the disk said that it could not erase itself", "ổ đĩa báo không tự xóa được"},
    {"nobody saw the disk accept the command", "không thấy ổ đĩa nhận lệnh"},
    {"nobody saw the erasure come to its end", "không thấy việc xóa kết thúc"},
    {"the disk kept the password \"qcbak\", which the erasure needed", "ổ đĩa giữ lại mật khẩu \"qcbak\" mà việc xóa cần"},
    {"the disk said that it was erased, and what was written before is still there", "ổ đĩa báo đã xóa, nhưng nội dung ghi trước đó vẫn còn"},
    {"the disk said that it was erased, and known formats are still on it", "ổ đĩa báo đã xóa, nhưng vẫn còn các định dạng đã biết"},
    {"the disk said that it was erased, and that cannot be read back", "ổ đĩa báo đã xóa, nhưng không đọc lại được để kiểm tra"},
    {"not every byte of the disk was read back", "không phải mọi byte của ổ đĩa đã được đọc lại"},
    {"nothing was done to this medium", "chưa làm gì với phương tiện này"},
    {"this medium was not destroyed yet", "phương tiện này chưa bị tiêu hủy"},
    {"shred", "cắt vụn"},
    {"disintegrate", "nghiền rã"},
    {"pulverize", "nghiền bột"},
    {"incinerate", "thiêu hủy"},
    {"melt", "nung chảy"},
    {"nobody has validated what was done", "chưa có ai thẩm định việc đã làm"},
    {"what was done was rejected", "việc đã làm không được chấp nhận"},
    {"disposal", "thanh lý"},
    {"transfer", "chuyển giao"},
    {"reuse", "tái sử dụng"},
    {"repair", "sửa chữa bên ngoài"},
    {"not-stated", "không nêu"},
    {"ordinary", "thông thường"},
    {"sensitive", "nhạy cảm"},
    {"state-secret", "bí mật nhà nước"},
    {"fixed", "ghi mẫu cố định"},
    {"drawn", "ghi một byte được chọn ngẫu nhiên"},
    {"complement", "ghi phần bù của lượt trước"},
    {"random", "ghi dữ liệu ngẫu nhiên"},
    {"read-back", "đọc lại và so sánh từng byte"},
    {"sample", "đọc lại và so sánh một mẫu"},
    {"remove-hidden-areas", "tìm và gỡ bỏ vùng ẩn"},
    {"firmware-erase", "xóa bằng lệnh của chính ổ đĩa"},
    {"check-erasure", "kiểm tra việc xóa"},
    {"discard", "báo ổ đĩa không cần nội dung nữa"},
};

std::string in_both(const std::string& english) {
  for (const auto& [known, vietnamese] : kSentences)
    if (english == known) return both(vietnamese, escaped(english));
  return escaped(english);
}

std::string in_one_line(const std::string& english) {
  for (const auto& [known, vietnamese] : kSentences)
    if (english == known) return std::string(vietnamese) + " <small>" + escaped(english) + "</small>";
  return escaped(english);
}

std::string code(const std::string& text) { return "<code>" + escaped(text) + "</code>"; }

std::string or_dash(const std::string& text) { return text.empty() ? "–" : escaped(text); }

std::string heading(const std::string& vietnamese, const std::string& english) {
  return "<h2>" + vietnamese + " <small>" + english + "</small></h2>\n";
}

// A line to fill in by hand.
std::string blank(const std::string& vietnamese, const std::string& english) {
  return "<dt>" + vietnamese + " <small>" + english + "</small></dt><dd class=\"blank\"></dd>\n";
}

std::string size_text(std::uint64_t bytes) {
  std::string digits = std::to_string(bytes);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, "\u202f");
  return digits;
}

std::string time_text(const std::optional<Time>& time) { return time ? utc_seconds(*time) : "–"; }

std::string serial_text(const RequestedMedium& medium) {
  return "<b>" + or_dash(medium.serial) + "</b> <small>" +
         (medium.serial_by_hand ? "nhập bằng tay từ nhãn: ổ đĩa không báo / entered by hand from the label: the disk reports none"
                                : "ổ đĩa tự báo / as the disk reports it") +
         "</small>";
}

std::string medium_type(const WipeRun* run) {
  if (run == nullptr) return "–";
  std::string text = run->attachment.rotational ? "đĩa quay / rotating" : "không quay / not rotating";
  if (run->attachment.removable) text += ", tháo rời được / removable";
  return text;
}

std::string medium_facts(const Dossier& dossier, const RequestedMedium& medium, const WipeRun* run) {
  std::string out = heading("Phương tiện", "medium") + "<dl>" +
                    fact("Nhà sản xuất", "manufacturer", or_dash(medium.vendor)) +
                    fact("Kiểu máy", "model", or_dash(medium.model)) + fact("Số sê-ri", "serial", serial_text(medium)) +
                    fact("Mã tài sản", "property number", or_dash(medium.asset)) +
                    fact("Loại", "type, as the kernel says", medium_type(run)) +
                    fact("Dung lượng", "size", medium.size_bytes == 0 ? "–" : size_text(medium.size_bytes) + " byte");
  if (run != nullptr)
    out += fact("Sector; khối vật lý", "sector; block",
                std::to_string(run->geometry.logical_sector_bytes) + "; " +
                    std::to_string(run->geometry.physical_block_bytes) + " byte") +
           fact("Firmware; WWID", "", or_dash(run->identity.firmware) + "; " + or_dash(run->identity.wwid));
  return out + fact("Phân loại trước khi xóa", "classification before", in_one_line(dossier.request.classification)) +
         blank("Phân loại sau khi xóa", "after") + blank("Nguồn: máy, đơn vị", "source") +
         blank("Dữ liệu đã sao lưu? Ở đâu?", "backed up?") +
         fact("Lý do", "reason", in_one_line(dossier.request.reason)) +
         fact("Nơi đến", "destination", or_dash(dossier.request.destination)) + "</dl>\n";
}

std::string category(const WipeRun& run) {
  return run.verdict == "purge" ? "Purge" : "Clear";
}

// The last step that read back, and how large the disk was then.
struct ReadBack {
  std::uint64_t bytes = 0;
  std::uint64_t of_bytes = 0;
  bool is_sample = false;
};
std::optional<ReadBack> read_back_of(const WipeRun& run, const wipe::Plan& plan) {
  std::optional<ReadBack> last;
  wipe::Geometry geometry = run.geometry;
  for (std::size_t i = 0; i < run.progress.steps.size(); ++i) {
    const wipe::Step& step = plan.steps.at(i);
    geometry.size_bytes = run.progress.steps[i].size_bytes.value_or(geometry.size_bytes);
    const bool is_sample = step.kind == wipe::StepKind::sample && wipe::is_sampled(geometry);
    if (wipe::verifies(step)) last = ReadBack{run.progress.steps[i].done_bytes, geometry.size_bytes, is_sample};
  }
  return last;
}

std::string overwriting_statement(const ReadBack& read, const wipe::Plan& plan) {
  const std::string bytes = size_text(read.bytes), size = size_text(read.of_bytes);
  const std::string vietnamese = read.is_sample ? "một mẫu gồm " + bytes : bytes;
  const std::string english = read.is_sample ? "a sample of " + bytes : bytes;
  return both("Phương tiện đã được ghi đè theo quy trình <b>" + escaped(plan.title) +
                  "</b>. Sau lượt ghi cuối, đã đọc lại " + vietnamese + " trên " + size +
                  " byte, và chúng đúng với nội dung đã ghi.",
              "The medium was overwritten by the procedure " + escaped(plan.title) + ". After the last pass " + english +
                  " of " + size + " bytes were read back, and held what had been written.");
}

std::string category_statement(const WipeRun& run) {
  if (run.verdict == "purge")
    return both("Mức theo NIST SP 800-88 và IEEE 2883: <b>Purge</b>.", "Category by NIST SP 800-88 and IEEE 2883: Purge.");
  return both("Mức theo NIST SP 800-88: <b>" + category(run) + "</b>. Việc ghi đè không chạm tới những khối mà ổ đĩa đã "
              "loại khỏi sử dụng và các ô nhớ dự phòng của bộ nhớ flash.",
              "Category by NIST SP 800-88: " + category(run) +
                  ". Overwriting does not reach blocks that the disk has put out of use, nor the spare cells of flash.");
}

// What was written, what was read back and what the disk did itself, and no more.
std::string statement_of(const WipeRun& run, const wipe::Plan& plan) {
  std::string out = "<div class=\"says\">";
  if (const auto read = read_back_of(run, plan)) out += overwriting_statement(*read, plan) + "<br>";
  if (const std::string erased = erasure_statement(run); !erased.empty()) out += erased + "<br>";
  return out + category_statement(run) + "</div>\n";
}

std::string method_text(const wipe::Plan& plan) {
  const bool writes = std::ranges::any_of(plan.steps, wipe::writes);
  const bool erases = std::ranges::find(plan.steps, wipe::StepKind::firmware_erase, &wipe::Step::kind) != plan.steps.end();
  if (!erases) return "ghi đè / overwriting";
  return std::string(writes ? "ghi đè, và " : "") + "lệnh của chính ổ đĩa / " + (writes ? "overwriting, and " : "") +
         "the disk's own command";
}

std::string verification_text(const WipeRun& run, const wipe::Plan& plan) {
  const auto read = read_back_of(run, plan);
  if (!read) return "dấu kiểm tra, xem dưới đây / markers, see below";
  if (!read->is_sample) return "đọc lại toàn bộ sau lượt cuối / full read-back after the last pass";
  return "đọc lại một mẫu theo NIST SP 800-88 Rev. 1 mục 4.7.2 / a sample was read back, by NIST SP 800-88 Rev. 1, 4.7.2";
}

std::string joined(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

std::string method_facts(const WipeRun& run, const RequestedMedium& medium, const wipe::Plan& plan) {
  const std::vector<wipe::Segment>& segments = run.progress.segments;
  return heading("Việc đã làm", "what was done") + "<dl>" +
         fact("Mức", "category", "<b>" + category(run) + "</b>; " + in_one_line(run.verdict_reason)) +
         fact("Phương pháp", "method", method_text(plan)) +
         fact("Quy trình", "plan", escaped(plan.name) + ", " + std::to_string(plan.version) + "; " + escaped(plan.source)) +
         fact("SHA-256 của quy trình", "of the plan", code(medium.plan_hash.hex())) +
         fact("Kiểm tra", "verification", verification_text(run, plan)) + firmware_facts(run, plan) +
         fact("Công cụ", "tool", escaped(run.tool)) +
         fact("Máy; thiết bị", "host; device",
              escaped(run.host) + " (" + escaped(run.kernel) + "); " + escaped(run.device)) +
         (run.sandbox.empty() ? "" : fact("Tiến trình được giam bởi", "sandbox", escaped(joined(run.sandbox)))) + health_facts(run) +
         fact("Bắt đầu – kết thúc", "UTC",
              segments.empty() ? "–"
                               : utc_seconds(segments.front().began) + " – " + utc_seconds(segments.back().last)) +
         fact("Mã công việc", "job", code(run.job)) + "</dl>\n";
}

std::string header_row(std::initializer_list<Sentence> columns) {
  std::string out = "<table><thead><tr>";
  for (const auto& [vietnamese, english] : columns) out += "<th>" + both(vietnamese, english) + "</th>";
  return out + "</tr></thead><tbody>\n";
}

std::string steps_table(const WipeRun& run, const wipe::Plan& plan) {
  std::string out = header_row({{"Bước", "step"},
                                {"Việc", "what"},
                                {"Mẫu", "pattern"},
                                {"Byte", "bytes"},
                                {"Bắt đầu", "began"},
                                {"Kết thúc", "ended"},
                                {"Lỗi; thử lại", "errors; retries"}});
  for (std::size_t i = 0; i < run.progress.steps.size(); ++i) {
    const wipe::StepProgress& step = run.progress.steps[i];
    out += "<tr><td class=\"n\">" + std::to_string(i + 1) + "</td><td>" +
           in_both(std::string(wipe::step_kind_name(plan.steps.at(i).kind))) + "</td><td>" + or_dash(run.contents[i]) +
           "</td><td class=\"n\">" + size_text(step.done_bytes) + "</td><td class=\"t\">" + time_text(step.began) + "</td><td class=\"t\">" +
           time_text(step.ended) + "</td><td class=\"n\">" + std::to_string(step.errors) + "; " +
           std::to_string(step.retries) + "</td></tr>\n";
  }
  return out + "</tbody></table>\n";
}

std::string ranges_text(const wipe::RangeSet& set) {
  constexpr std::size_t kShown = 8;
  std::string out = size_text(set.total_bytes()) + " byte:";
  for (std::size_t i = 0; i < set.ranges().size() && i < kShown; ++i)
    out += " " + std::to_string(set.ranges()[i].offset) + "+" + std::to_string(set.ranges()[i].size_bytes);
  return set.ranges().size() > kShown ? out + " …" : out;
}

std::string exceptions_of_step(std::size_t number, const wipe::StepProgress& step) {
  const std::pair<const wipe::RangeSet*, std::string> kinds[] = {
      {&step.bad, "không ghi được / not written"},
      {&step.set_aside, "chưa xử lý / left undone"},
      {&step.unreadable, "không đọc được / unreadable"},
      {&step.mismatching, "không khớp / mismatching"},
      {&step.healed, "đọc được sau khi ghi lại / healed by writing again"}};
  std::string out;
  for (const auto& [set, name] : kinds)
    if (!set->empty()) out += "<li>bước / step " + std::to_string(number) + ", " + name + ": " + ranges_text(*set) + "</li>\n";
  if (step.restarts > 0)
    out += "<li>bước / step " + std::to_string(number) + ": làm lại từ đầu / begun anew: " + std::to_string(step.restarts) +
           "</li>\n";
  return out;
}

std::string exceptions(const WipeRun& run) {
  std::string items;
  for (std::size_t i = 0; i < run.progress.steps.size(); ++i)
    items += exceptions_of_step(i + 1, run.progress.steps[i]);
  return heading("Ngoại lệ", "exceptions") + (items.empty() ? "<p>Không có. <small>None.</small></p>\n" : "<ul>\n" + items + "</ul>\n");
}

std::string segments(const WipeRun& run) {
  constexpr std::size_t kShown = 32;
  if (run.progress.segments.size() < 2) return "";
  std::string out = heading("Các đoạn thực hiện", "the work was interrupted; its segments") +
                    header_row({{"Đoạn", "segment"}, {"Bắt đầu", "began"}, {"Ghi nhận cuối", "last progress"}, {"Từ bước", "from step"}, {"Vị trí", "offset"}});
  for (std::size_t i = 0; i < run.progress.segments.size() && i < kShown; ++i) {
    const wipe::Segment& segment = run.progress.segments[i];
    out += "<tr><td class=\"n\">" + std::to_string(i + 1) + "</td><td>" + utc_seconds(segment.began) + "</td><td>" +
           utc_seconds(segment.last) + "</td><td class=\"n\">" + std::to_string(segment.step + 1) +
           "</td><td class=\"n\">" + size_text(segment.offset) + "</td></tr>\n";
  }
  out += "</tbody></table>\n";
  if (run.progress.segments.size() > kShown)
    out += "<p><small>… " + std::to_string(run.progress.segments.size()) + " đoạn / segments</small></p>\n";
  return out;
}

std::string person_row(const std::string& vietnamese, const std::string& english, const Signed& by) {
  const std::string remark = by.statement.reason.empty() ? "" : "<br><small>" + escaped(by.statement.reason) + "</small>";
  return "<tr><td>" + both(vietnamese, english) + "</td><td><b>" + escaped(by.statement.by) + "</b>" + remark + "</td><td class=\"t\">" +
         escaped(by.statement.time) + "</td><td>" + code(crypto::fingerprint(by.key)) + "</td></tr>\n";
}

std::string people(const Dossier& dossier, std::size_t medium) {
  const WipeRun* run = last_run(dossier, medium);
  const Destruction* destruction = destruction_of(dossier, medium);
  std::string out = heading("Những người đã ký số (Ed25519)", "who signed, each over all that it rests on") +
                    header_row({{"Vai trò", "role"}, {"Tên", "name"}, {"Thời điểm", "time"}, {"Dấu vân tay của khóa", "fingerprint of the key"}}) +
                    person_row("Đề nghị", "requested", dossier.request.by);
  if (dossier.approval) out += person_row("Phê duyệt", "approved", dossier.approval->by);
  if (run != nullptr) out += person_row("Thực hiện", "performed, verified", run->by);
  if (destruction != nullptr) out += person_row("Tiêu hủy", "destroyed", destruction->by);
  if (dossier.validation)
    out += dossier.validation->decision == Decision::accept
               ? person_row("Thẩm định: chấp nhận", "validated: accepted", dossier.validation->by)
               : person_row("Thẩm định: không chấp nhận", "validated: rejected", dossier.validation->by);
  if (dossier.confirmation) out += person_row("Chủ quản xác nhận", "the owner confirmed", dossier.confirmation->by);
  return out + "</tbody></table>\n";
}

std::string signature_lines() {
  std::string out = "<div class=\"sign\">";
  for (const auto& [vietnamese, english] :
       std::initializer_list<Sentence>{{"Người thực hiện", "performed by"},
                                       {"Người thẩm định", "validated by"},
                                       {"Chủ quản hệ thống", "owner; concurrence"}})
    out += "<div>" + both(vietnamese, english) +
           "<br><small>chức vụ, nơi, điện thoại, ngày, chữ ký / title, place, telephone, date, signature</small></div>";
  return out + "</div>\n";
}

std::string integrity(const Dossier& dossier) {
  return heading("Kiểm tra tờ này", "how to check this page") + "<p>" +
         both("SHA-256 của hồ sơ (tệp JSON) mà tờ này trình bày:", "SHA-256 of the dossier (the JSON file) that this page shows:") +
         "<br>" + code(crypto::sha256(as_bytes(encode(dossier))).hex()) + "<br><code>qcbak verify-evidence " +
         "FILE --public-key people.pem</code></p>\n";
}

std::string log_range(const std::optional<LogRange>& log) {
  if (!log) return "";
  const std::string entries = std::to_string(log->first) + "–" + std::to_string(log->last);
  return heading("Trong nhật ký kiểm toán", "in the audit log") + "<p>" +
         both("Các mục " + entries + "; khi cấp, nhật ký kết thúc ở mục " + std::to_string(log->head_number) + ":",
              "Entries " + entries + "; when this was certified the log ended with entry " + std::to_string(log->head_number) + ":") +
         "<br>" + code(log->head) + "<br><code>qcbak audit export</code></p>\n";
}

std::string title(const std::string& vietnamese, const std::string& english, const Dossier& dossier, std::size_t medium) {
  return "<h1>" + vietnamese + "</h1><p class=\"en\">" + english + "</p><p>" + "Số / No. " +
         code(dossier.request.id + "-" + std::to_string(medium + 1)) + "</p>\n";
}

std::string certificate(const Dossier& dossier, std::size_t medium) {
  const WipeRun& run = *last_run(dossier, medium);
  const wipe::Plan plan = plan_of(dossier, medium);
  const RequestedMedium& requested = dossier.request.media[medium];
  return title("Giấy chứng nhận xóa dữ liệu trên phương tiện lưu trữ", "Certificate of media sanitisation", dossier, medium) +
         statement_of(run, plan) + medium_facts(dossier, requested, &run) + method_facts(run, requested, plan) +
         steps_table(run, plan) + exceptions(run) + segments(run) + people(dossier, medium) + "<dl>" +
         blank("Ghi chú", "notes") + "</dl>\n" + signature_lines() + integrity(dossier);
}

std::string witnesses_text(const Destruction& destruction) {
  std::string out;
  for (const std::string& witness : destruction.witnesses) out += (out.empty() ? "" : "; ") + escaped(witness);
  return out;
}

std::string millimetres(std::uint32_t micrometres) {
  constexpr std::uint32_t kMicrometres = 1000;
  std::string fraction = std::to_string(kMicrometres + micrometres % kMicrometres).substr(1);
  while (fraction.ends_with('0')) fraction.pop_back();
  return std::to_string(micrometres / kMicrometres) + (fraction.empty() ? "" : "," + fraction) + " mm";
}

std::string photographs_table(const Destruction& destruction) {
  if (destruction.photographs.empty()) return "";
  std::string out = header_row({{"Ảnh chụp", "photograph"}, {"SHA-256", "SHA-256"}});
  for (const Photograph& photograph : destruction.photographs)
    out += "<tr><td>" + escaped(photograph.name) + "</td><td>" + code(photograph.hash.hex()) + "</td></tr>\n";
  return out + "</tbody></table>\n";
}

std::string destruction_facts(const Destruction& destruction) {
  std::string out = heading("Việc đã làm", "what was done") + "<dl>" + fact("Mức", "category", "<b>Destroy</b>") +
                    fact("Phương pháp", "method", in_one_line(destruction.method));
  if (destruction.particle_um > 0)
    out += fact("Mảnh lớn nhất", "largest particles", millimetres(destruction.particle_um));
  return out + fact("Nơi", "place", or_dash(destruction.place)) +
         fact("Thời điểm", "UTC", utc_seconds(destruction.destroyed)) +
         fact("Người chứng kiến", "witnesses", witnesses_text(destruction)) + "</dl>\n" + photographs_table(destruction);
}

// Qcbak saw nothing of it: the page says who says so.
std::string certificate_of_destruction(const Dossier& dossier, std::size_t medium) {
  const Destruction& destruction = *destruction_of(dossier, medium);
  const WipeRun* run = last_run(dossier, medium);
  const std::string& by = destruction.by.statement.by;
  std::string out = title("Giấy chứng nhận tiêu hủy phương tiện lưu trữ", "Certificate of media destruction", dossier, medium) +
                    "<div class=\"says\">" +
                    both("Phương tiện đã được tiêu hủy vật lý, theo lời khai có ký số của <b>" + escaped(by) + "</b>.",
                         "The medium was destroyed physically, as " + escaped(by) + " states and has signed.") +
                    "</div>\n" + medium_facts(dossier, dossier.request.media[medium], run) + destruction_facts(destruction);
  if (run != nullptr)
    out += heading("Trước khi tiêu hủy", "before it was destroyed") + "<p>" + in_both(run->verdict_reason) + "</p>\n";
  return out + people(dossier, medium) + "<dl>" + blank("Ghi chú", "notes") + "</dl>\n" + signature_lines() +
         integrity(dossier);
}

std::string no_certificate(const Dossier& dossier, std::size_t medium, const std::vector<DossierFinding>& findings) {
  const WipeRun* run = last_run(dossier, medium);
  std::string out = title("Không phải giấy chứng nhận", "This is no certificate", dossier, medium) + "<div class=\"none\">";
  if (findings.empty() && is_to_be_destroyed(dossier, medium))
    out += both("<b>Phải tiêu hủy vật lý phương tiện này.</b> " + (run == nullptr ? "" : in_both(run->verdict_reason)),
                "<b>Destroy this medium physically.</b>");
  else if (findings.empty() && run != nullptr && !succeeded(*run) && destruction_of(dossier, medium) == nullptr)
    out += both("<b>Việc xóa dữ liệu không đạt.</b> " + in_both(run->verdict_reason), "<b>The medium is not cleared.</b>");
  else if (findings.empty())
    out += in_both(why_no_certificate(dossier, medium));
  else
    out += both("<b>Hồ sơ này không đúng:</b>", "<b>Something is wrong with this dossier:</b>");
  for (const DossierFinding& finding : findings)
    out += "<br>" + escaped(finding.member) + ": " + escaped(finding.what);
  out += "</div>\n" + medium_facts(dossier, dossier.request.media[medium], run);
  if (run != nullptr && findings.empty()) {
    const wipe::Plan plan = plan_of(dossier, medium);
    out += "<dl>" + firmware_facts(*run, plan) + health_facts(*run) + "</dl>\n" + steps_table(*run, plan) + exceptions(*run);
  }
  return out + people(dossier, medium) + integrity(dossier);
}

std::string page_of(const Dossier& dossier, std::size_t medium, const std::vector<DossierFinding>& findings) {
  if (!findings.empty() || !why_no_certificate(dossier, medium).empty()) return no_certificate(dossier, medium, findings);
  return destruction_of(dossier, medium) == nullptr ? certificate(dossier, medium)
                                                    : certificate_of_destruction(dossier, medium);
}

// Of what is no certificate there is none.
std::string log_range_of(const Dossier& dossier, std::size_t medium, const std::vector<DossierFinding>& findings,
                         const std::optional<LogRange>& log) {
  return findings.empty() && why_no_certificate(dossier, medium).empty() ? log_range(log) : "";
}

}  // namespace

std::string certificate_page(const Dossier& dossier, const std::vector<DossierFinding>& findings,
                             const std::optional<LogRange>& log) {
  std::string out = "<!DOCTYPE html>\n<html lang=\"vi\"><head><meta charset=\"utf-8\"><title>" + dossier.request.id +
                    "</title><style>" + kStyle + "</style></head><body>\n";
  for (std::size_t medium = 0; medium < dossier.request.media.size(); ++medium)
    out += "<section>\n" + page_of(dossier, medium, findings) + log_range_of(dossier, medium, findings, log) + "</section>\n";
  return out + "</body></html>\n";
}

}  // namespace qcbak::evidence
