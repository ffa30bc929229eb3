// An export and a checkpoint of a repository made long ago: they verify for ever.
#include "base/unique_fd.h"
#include "crypto/public_key_file.h"
#include "tests/evidence/logged.h"

namespace qcbak::evidence {
namespace {

std::string golden(const char* name) {
  return to_string(read_file(std::string(GOLDEN_FOLDER "/") + name, kFirstLineLimit));
}
Roots golden_roots() {
  const auto keys = crypto::parse_public_keys(golden("site.pem"));
  return {keys.begin(), keys.end()};
}

TEST(Golden, TheExportVerifies) {
  const LogExportCheck check = check_text(golden("log.jsonl"), golden_roots());
  EXPECT_THAT(check.log.findings, testing::IsEmpty());
  EXPECT_EQ(check.log.entries, 13U);
  EXPECT_EQ(check.sealed, 0U);
}

TEST(Golden, TheCheckpointVerifiesAndIsOfTheSameLog) {
  const std::string line = golden("checkpoint.json");
  const CheckpointDocument checkpoint =
      check_checkpoint(std::string_view(line).substr(0, line.size() - 1), golden_roots());
  EXPECT_THAT(check_text(golden("log.jsonl"), golden_roots(), {checkpoint.head}).log.findings, testing::IsEmpty());
}

}  // namespace
}  // namespace qcbak::evidence
