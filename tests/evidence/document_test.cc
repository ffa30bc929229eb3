#include "evidence/document.h"

#include "tests/evidence/logged.h"

namespace qcbak::evidence {
namespace {

TEST(LineReader, GivesLinesWhateverThePieces) {
  const std::string text = "one\n\nthree" + std::string(5000, 'x') + "\n";
  LineReader lines(reading(text));
  EXPECT_EQ(lines.next(10), "one");
  EXPECT_EQ(lines.next(10), "");
  EXPECT_EQ(lines.next(5005), "three" + std::string(5000, 'x'));
  EXPECT_EQ(lines.next(10), std::nullopt);
  EXPECT_EQ(lines.next(10), std::nullopt);
}

TEST(LineReader, HoldsNoMoreThanItMay) {
  std::size_t given = 0;
  LineReader endless([&](MutableByteView into) {
    std::fill(into.begin(), into.end(), std::byte{'x'});
    given += into.size();
    return into.size();
  });
  EXPECT_THROW(endless.next(1000), Error);
  EXPECT_LT(given, std::size_t{200'000});
  LineReader cut(reading("half a line"));
  EXPECT_THROW(cut.next(1000), Error);
}

TEST(Document, SaysWhatItIs) {
  EXPECT_EQ(document_kind(parse_object(R"({"format":"qcbak log export 1"})")), DocumentKind::log_export);
  EXPECT_EQ(document_kind(parse_object(R"({"format":"qcbak checkpoint 1"})")), DocumentKind::checkpoint);
  const auto code = [](std::string_view text) {
    try {
      document_kind(parse_object(text));
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::failed;
  };
  EXPECT_EQ(code(R"({"format":"qcbak log export 2"})"), ErrorCode::unsupported);
  for (const char* other : {"", "{}", "[]", R"({"format":1})", R"({"format":"qcbak certificate 1"})", "\xff\xfe"})
    EXPECT_EQ(code(other), ErrorCode::usage) << other;
}

TEST(LogJson, WritesTimesOfAllCenturies) {
  EXPECT_EQ(utc_text({0}), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(utc_text({1'780'000'000'123'456'789}), "2026-05-28T20:26:40.123456789Z");
  EXPECT_EQ(utc_text({INT64_MIN}), "1677-09-21T00:12:43.145224192Z");
  EXPECT_EQ(utc_text({INT64_MAX}), "2262-04-11T23:47:16.854775807Z");
}

}  // namespace
}  // namespace qcbak::evidence
