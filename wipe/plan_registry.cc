// The registry: docs/sanitisation.md "The registry" has the same table, and says where sources disagree. A plan that changes
// in any byte of its document gets a new version: tests/wipe/plan_test.cc holds the hashes.
#include <initializer_list>

#include "wipe/plan.h"

namespace qcbak::wipe {
namespace {

Step fixed(std::string_view hex) { return {StepKind::fixed, from_hex(hex)}; }
Step drawn() { return {StepKind::drawn}; }
Step complement() { return {StepKind::complement}; }
Step random() { return {StepKind::random}; }
Step read_back() { return {StepKind::read_back}; }
Step hidden_areas() { return {StepKind::remove_hidden_areas}; }
Step firmware(FirmwareMethod method = FirmwareMethod::purge_auto) { return {StepKind::firmware_erase, {}, method}; }
Step check_erasure() { return {StepKind::check_erasure}; }

std::vector<Step> gutmann_steps() {
  std::vector<Step> steps(4, random());
  for (const char* const pattern : {"55", "aa", "924924", "492492", "249249"}) steps.push_back(fixed(pattern));
  for (unsigned digit = 0; digit < 16; ++digit)
    steps.push_back({StepKind::fixed, Bytes(1, static_cast<std::byte>(digit * 0x11))});
  for (const char* const pattern : {"924924", "492492", "249249", "6db6db", "b6db6d", "db6db6"})
    steps.push_back(fixed(pattern));
  steps.insert(steps.end(), 4, random());
  steps.push_back(read_back());
  return steps;
}

std::vector<Plan> overwriting_plans() {
  return {
      {"nist-clear", 1, "NIST 800-88 Clear", "NIST SP 800-88, Clear by overwriting", {fixed("00"), read_back()}},
      {"dod-3pass",
       1,
       "DoD 5220.22-M (E), 3 passes",
       "DoD 5220.22-M, clearing and sanitization matrix, (d)",
       {drawn(), complement(), random(), read_back()}},
      {"dod-ece",
       1,
       "DoD 5220.22-M ECE, 7 passes",
       "DoD 5220.22-M, clearing and sanitization matrix, (E), (C) and (E)",
       {drawn(), complement(), random(), drawn(), drawn(), complement(), random(), read_back()}},
      {"hmg-is5-baseline", 1, "HMG IS5, baseline", "HMG Infosec Standard 5, baseline", {fixed("00"), read_back()}},
      {"hmg-is5-enhanced",
       1,
       "HMG IS5, enhanced",
       "HMG Infosec Standard 5, enhanced",
       {fixed("00"), fixed("ff"), random(), read_back()}},
      {"bsi-vsitr",
       1,
       "BSI VSITR, 7 passes",
       "BSI VSITR",
       {fixed("00"), fixed("ff"), fixed("00"), fixed("ff"), fixed("00"), fixed("ff"), fixed("aa"), read_back()}},
      {"bsi-gs", 1, "BSI-GS", "BSI-GS", {hidden_areas(), random(), read_back(), firmware(), check_erasure()}},
      {"bsi-gse", 1, "BSI-GSE", "BSI-GSE", {random(), random(), read_back(), firmware(), check_erasure()}},
      {"gost-r-50739", 1, "GOST R 50739-95, 2 passes", "GOST R 50739-95", {fixed("00"), random(), read_back()}},
      {"ops-ii",
       1,
       "RCMP TSSIT OPS-II, 7 passes",
       "RCMP TSSIT OPS-II",
       {fixed("00"), fixed("ff"), fixed("00"), fixed("ff"), fixed("00"), fixed("ff"), random(), read_back()}},
      {"itsg-06", 1, "CSEC ITSG-06, 3 passes", "CSEC ITSG-06", {drawn(), complement(), random(), read_back()}},
      {"ar-380-19",
       1,
       "US Army AR 380-19, 3 passes",
       "US Army AR 380-19",
       {random(), drawn(), complement(), read_back()}},
      {"afssi-5020",
       1,
       "US Air Force AFSSI-5020, 3 passes",
       "US Air Force AFSSI-5020",
       {fixed("00"), fixed("ff"), random(), read_back()}},
      {"navso-mfm",
       1,
       "NAVSO P-5239-26 MFM, 3 passes",
       "NAVSO P-5239-26, MFM",
       {fixed("01"), fixed("7fffffff"), random(), read_back()}},
      {"navso-rll",
       1,
       "NAVSO P-5239-26 RLL, 3 passes",
       "NAVSO P-5239-26, RLL",
       {fixed("01"), fixed("27ffffff"), random(), read_back()}},
      {"nnsa", 1, "NNSA NAP-14.1-C, 3 passes", "NNSA NAP-14.1-C", {random(), random(), fixed("00"), read_back()}},
      {"schneier",
       1,
       "Schneier, 7 passes",
       "B. Schneier, Applied Cryptography, 1996",
       {fixed("ff"), fixed("00"), random(), random(), random(), random(), random(), read_back()}},
      {"gutmann", 1, "Gutmann, 35 passes",
       "P. Gutmann, Secure Deletion of Data from Magnetic and Solid-State Memory, 1996", gutmann_steps()},
      {"bmb21-2019",
       1,
       "BMB21-2019, 7 passes",
       "BMB21-2019",
       {fixed("ff"), fixed("00"), random(), random(), random(), fixed("ff"), fixed("00"), read_back()}},
  };
}

// Only ATA disks hide a part of themselves in a way that can be asked for.
Plan plan_by_method(const MethodRow& row) {
  const bool has_hidden_areas = row.command_set == CommandSet::ata;
  std::vector<Step> steps{firmware(row.method), check_erasure()};
  if (has_hidden_areas) steps.insert(steps.begin(), hidden_areas());
  const std::string title = "by the disk's own command " + std::string(row.name);
  return {std::string(row.name), 1, title, "IEEE 2883 and NIST SP 800-88", std::move(steps)};
}

std::vector<Plan> make_plans() {
  std::vector<Plan> plans = overwriting_plans();
  for (const MethodRow& row : method_rows()) plans.push_back(plan_by_method(row));
  plans.push_back({"purge-auto",
                   1,
                   "by the best of the disk's own commands that amount to Purge",
                   "IEEE 2883 and NIST SP 800-88",
                   {hidden_areas(), firmware(), check_erasure()}});
  return plans;
}

}  // namespace

std::span<const Plan> shipped_plans() {
  static const std::vector<Plan> plans = make_plans();
  return plans;
}

const Plan& destruction_plan() {
  static const Plan plan{std::string(kDestroyPlan), 1, "Physical destruction", "NIST SP 800-88, Destroy", {}};
  return plan;
}

}  // namespace qcbak::wipe
