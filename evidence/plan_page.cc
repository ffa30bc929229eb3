#include "evidence/plan_page.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "evidence/html.h"

namespace qcbak::evidence {
namespace {

using Json = nlohmann::json;

constexpr const char* kStyle =
    "@page{size:A4 landscape;margin:15mm}body{font:10.5pt/1.45 'Noto Sans','DejaVu "
    "Sans',sans-serif;color:#111;margin:2em}"
    "h1{font-size:17pt;margin:0}p.en,small{color:#555;font-size:9pt}table{border-collapse:collapse;width:100%;margin:"
    "1em 0}"
    "th,td{border:1px solid #888;padding:.35em .5em;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
    "th{background:#eee}tr{page-break-inside:avoid}thead{display:table-header-group}code{font-size:8.5pt;overflow-wrap:"
    "anywhere}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.2em 1em}dt{font-weight:600}dd{margin:0}"
    ".sign{display:flex;gap:4em;margin-top:2.5em}.sign div{flex:1;border-top:1px solid "
    "#888;padding-top:.3em;min-height:5em}"
    "@media print{body{margin:0}}";

std::string words(const Json& value) {
  if (value.is_null()) return "–";
  return escaped(value.is_string() ? value.get<std::string>() : value.dump());
}

std::string lines(const Json& texts) {
  std::string out;
  for (const Json& text : texts) out += (out.empty() ? "" : "<br>") + words(text);
  return out;
}

std::string source(const Json& job) {
  const Json& source = job.at("source");
  std::string out = lines(source.at("files"));
  if (!source.at("exclude").empty()) out += "<br><small>trừ / except:<br>" + lines(source.at("exclude")) + "</small>";
  return out;
}

std::string when(const Json& job) {
  const Json& time = job.at("time");
  std::string out = time.at("schedule") == "never" ? "" : words(time.at("schedule"));
  if (time.at("on_change").get<bool>()) out += (out.empty() ? "" : "<br>") + both("khi có thay đổi", "on change");
  return out.empty() ? both("theo yêu cầu", "on request") : out;
}

std::string where(const Json& job) {
  const Json& place = job.at("place");
  return words(place.at("repository")) +
         both("<br>miền " + words(place.at("domain")) + ", " + words(place.at("copies")) + " bản", "domain, copies");
}

std::string extent(const Json& job) {
  return job.at("extent") == "full" ? both("toàn bộ", "full") : both("một phần", "partial");
}

std::string kept(const Json& job) {
  const Json& retention = job.at("retention");
  if (retention.empty()) return both("giữ tất cả", "all are kept");
  std::string out;
  for (const auto& [rule, value] : retention.items())
    out += (out.empty() ? "" : "<br>") + escaped(rule) + " " + words(value);
  return out;
}

std::string method(const Json& job) {
  std::string out = both("mỗi phiên bản đầy đủ; chỉ lưu phần thay đổi", words(job.at("method")));
  for (const char* name : {"before", "after"})
    if (const Json& command = job.at("commands").at(name); command != "")
      out += std::string("<br><small>") + name + ":</small> <code>" + words(command) + "</code>";
  return out;
}

std::string row(const std::string& name, const Json& job) {
  std::string labels;
  for (const auto& [key, value] : job.at("labels").items())
    labels += "<br><small>" + escaped(key) + " = " + words(value) + "</small>";
  std::string out = "<tr><td><b>" + escaped(name) + "</b>" + labels + "</td>";
  for (const std::string& cell : {source(job), when(job), where(job), extent(job), method(job), kept(job)})
    out += "<td>" + cell + "</td>";
  return out + "</tr>\n";
}

std::string state(const Json& plan) {
  const std::string text = plan.at("state").get<std::string>();
  if (text == "in force") return both("đang có hiệu lực", "in force");
  if (text == "waiting") return both("chờ phê duyệt", "waits for approval");
  if (text == "rejected") return both("bị từ chối", "rejected");
  return both("đã được thay thế", "replaced");
}

std::string head(const Json& plan) {
  std::string out =
      "<dl>" + fact("Mã kế hoạch", "plan", "<code>" + words(plan.at("id")) + "</code>") +
      fact("SHA-256", "of its document", "<code>" + words(plan.at("sha256")) + "</code>") +
      fact("Trạng thái", "state", state(plan)) +
      fact("Người trình", "submitted by", words(plan.at("submitted_by")) + ", " + words(plan.at("submitted"))) +
      fact("Người quyết định", "decided by", words(plan.at("decided_by")) + ", " + words(plan.at("decided")));
  if (!plan.at("reason").is_null()) out += fact("Lý do", "reason", words(plan.at("reason")));
  return out + "</dl>\n";
}

std::string signatures(const Json& plan) {
  std::string out = "<div class=\"sign\"><div>" + both("Người trình kế hoạch", "submitted by") + "</div><div>" +
                    both("Người phê duyệt", "approved by") + "</div></div>\n";
  if (plan.at("signature").is_null())
    return "<p>" + both("Không có chữ ký số.", "Not signed with a key.") + "</p>\n" + out;
  return "<p>" + both("Đã ký số (Ed25519) trên câu sau:", "Signed with a key (Ed25519), over this statement:") +
         "<br><code>" + words(plan.at("statement")) + "</code><br><small>chữ ký / signature</small> <code>" +
         words(plan.at("signature")) + "</code></p>\n" + out;
}

std::string page(const Json& plan) {
  const Json document = Json::parse(plan.at("document").get<std::string>());
  std::string out = std::string("<!DOCTYPE html>\n<html lang=\"vi\"><head><meta charset=\"utf-8\"><title>") +
                    words(plan.at("id")) + "</title><style>" + kStyle +
                    "</style></head><body>\n<h1>Kế hoạch sao lưu, phục hồi dữ liệu</h1><p class=\"en\">Plan of backups "
                    "and restores</p>\n" +
                    head(plan);
  if (document.contains("combined_roles"))
    out += "<p>" +
           both("Kiêm nhiệm, lý do: " + words(document.at("combined_roles")), "why one person may have several roles") +
           "</p>\n";
  out += "<table><thead><tr>";
  for (const auto& [vietnamese, english] :
       std::initializer_list<std::pair<const char*, const char*>>{{"Công việc", "job"},
                                                                  {"Dữ liệu", "what"},
                                                                  {"Thời gian", "when"},
                                                                  {"Nơi lưu", "where"},
                                                                  {"Phạm vi", "extent"},
                                                                  {"Phương pháp", "method"},
                                                                  {"Thời hạn lưu", "kept"}})
    out += "<th>" + both(vietnamese, english) + "</th>";
  out += "</tr></thead><tbody>\n";
  for (const auto& [name, job] : document.at("jobs").items()) out += row(name, job);
  return out + "</tbody></table>\n" + signatures(plan) + "</body></html>\n";
}

}  // namespace

std::string plan_page(const Json& plan) {
  try {
    return page(plan);
  } catch (const Json::exception&) {
    throw Error(ErrorCode::damaged, "this is no plan that this version knows");
  }
}

}  // namespace qcbak::evidence
