#include "daemon/media_import.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "base/error.h"
#include "daemon/csv.h"
#include "evidence/dossier.h"

namespace qcbak::daemon {
namespace {

struct TextColumn {
  const char* name;
  std::string MediumFacts::*member;
};
constexpr TextColumn kTexts[] = {
    {"asset", &MediumFacts::asset},       {"kind", &MediumFacts::kind},
    {"make", &MediumFacts::make},         {"model", &MediumFacts::model},
    {"serial", &MediumFacts::serial},     {"wwid", &MediumFacts::wwid},
    {"firmware", &MediumFacts::firmware}, {"machine", &MediumFacts::machine},
    {"unit", &MediumFacts::unit},         {"classification", &MediumFacts::classification}};
struct NumberColumn {
  const char* name;
  std::uint64_t MediumFacts::*member;
};
constexpr NumberColumn kNumbers[] = {{"size_bytes", &MediumFacts::size_bytes},
                                     {"logical_sector_bytes", &MediumFacts::logical_sector_bytes},
                                     {"physical_block_bytes", &MediumFacts::physical_block_bytes}};
constexpr std::uint64_t kNumberLimit = (1ULL << 53) - 1;

[[noreturn]] void fail(std::size_t line, std::size_t column, const std::string& name, const std::string& what) {
  throw Error(ErrorCode::usage,
              "line " + std::to_string(line) + ", column " + std::to_string(column + 1) + " (" + name + "): " + what)
      .with_hint("nothing was taken; correct it, and import the file again");
}

bool is_column(const std::string& name) {
  for (const TextColumn& column : kTexts)
    if (name == column.name) return true;
  for (const NumberColumn& column : kNumbers)
    if (name == column.name) return true;
  return name == "state";
}

void require_columns(const CsvRow& header) {
  std::set<std::string> named;
  for (std::size_t i = 0; i < header.fields.size(); ++i) {
    const std::string& name = header.fields[i];
    if (!is_column(name)) fail(header.line, i, name, "there is no column of this name");
    if (!named.insert(name).second) fail(header.line, i, name, "it is there twice");
  }
  if (!named.contains("asset")) throw Error(ErrorCode::usage, "line 1: the column \"asset\" is missing");
}

// Nothing where it is none.
std::optional<std::uint64_t> number_in(const std::string& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number > kNumberLimit) return std::nullopt;
  return number;
}

void take(MediumFacts& facts, const CsvRow& row, std::size_t column, const std::string& name) {
  const std::string& field = row.fields[column];
  if (field.empty()) return;
  for (const TextColumn& text : kTexts)
    if (name == text.name) facts.*text.member = field;
  for (const NumberColumn& number : kNumbers) {
    if (name != number.name) continue;
    const auto value = number_in(field);
    if (!value) fail(row.line, column, name, "it is no number");
    facts.*number.member = *value;
  }
  if (name == "state" && field != "in-use" && field != "broken") fail(row.line, column, name, "it is in-use or broken");
  if (name == "state") facts.broken = field == "broken";
  if (name == "classification" && !evidence::is_classification(field))
    fail(row.line, column, name, "it is one of not-stated, ordinary, sensitive, state-secret");
}

}  // namespace

std::vector<MediumFacts> media_from_csv(std::string_view text) {
  const std::vector<CsvRow> rows = parse_csv(text);
  const std::vector<std::string>& names = rows.front().fields;
  require_columns(rows.front());
  const std::size_t asset_column =
      static_cast<std::size_t>(std::find(names.begin(), names.end(), "asset") - names.begin());
  std::vector<MediumFacts> media;
  std::set<std::string> assets;
  for (auto row = rows.begin() + 1; row != rows.end(); ++row) {
    MediumFacts facts;
    for (std::size_t i = 0; i < names.size(); ++i) take(facts, *row, i, names[i]);
    if (!is_asset_number(facts.asset))
      fail(row->line, asset_column, "asset",
           "an asset number is wanted, of at most 64 bytes, without blanks around it or / before it");
    if (!assets.insert(facts.asset).second) fail(row->line, asset_column, "asset", facts.asset + " is there twice");
    media.push_back(std::move(facts));
  }
  return media;
}

std::string csv_of(const std::vector<Medium>& media) {
  std::vector<std::string> header;
  for (const TextColumn& column : kTexts) header.emplace_back(column.name);
  for (const NumberColumn& column : kNumbers) header.emplace_back(column.name);
  for (const char* name : {"state", "step", "since", "dossier"}) header.emplace_back(name);
  std::string text = csv_line(header);
  for (const Medium& medium : media) {
    std::vector<std::string> fields;
    for (const TextColumn& column : kTexts) fields.push_back(medium.facts.*column.member);
    for (const NumberColumn& column : kNumbers) fields.push_back(std::to_string(medium.facts.*column.member));
    fields.emplace_back(name_of(list_of(medium)));
    fields.emplace_back(name_of(medium.state));
    fields.push_back(format_time(medium.since));
    fields.push_back(medium.dossier);
    text += csv_line(fields);
  }
  return text;
}

}  // namespace qcbak::daemon
