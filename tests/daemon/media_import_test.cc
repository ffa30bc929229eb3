#include "daemon/media_import.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "daemon/csv.h"

namespace qcbak::daemon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string refusal(const std::string& text) {
  try {
    media_from_csv(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    return error.what();
  }
  return "";
}

TEST(Csv, FieldsAreReadAsRfc4180HasThem) {
  const auto rows = parse_csv("\xEF\xBB\xBFname,\"a,b\"\r\n\"say \"\"hi\"\"\",\n,Hồ\r\n");
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_THAT(rows[0].fields, ElementsAre("name", "a,b"));
  EXPECT_THAT(rows[1].fields, ElementsAre("say \"hi\"", ""));
  EXPECT_THAT(rows[2].fields, ElementsAre("", "Hồ"));
  EXPECT_EQ(rows[2].line, 3U);
  EXPECT_EQ(parse_csv("a").size(), 1U);
}

TEST(Csv, WhatIsNoneIsNamedByLineAndColumn) {
  EXPECT_THAT(refusal("asset,unit\nTS-1,\"x"), HasSubstr("line 2, column 2: the closing \" is missing"));
  EXPECT_THAT(refusal("asset,unit\nTS-1,x\"y"), HasSubstr("line 2, column 2"));
  EXPECT_THAT(refusal("asset,unit\nTS-1,\"x\"y"), HasSubstr("line 2, column 2"));
  EXPECT_THAT(refusal("asset,unit\nTS-1,\"x\ny\"\n"), HasSubstr("control character"));
  EXPECT_THAT(refusal("asset,unit\nTS-1,\xC3\x28"), HasSubstr("line 2, column 2: it is no UTF-8"));
  EXPECT_THAT(refusal("asset,unit\nTS-1,\xED\xA0\x80"), HasSubstr("no UTF-8"));
  EXPECT_THAT(refusal("asset,unit\nTS-1\n"), HasSubstr("line 2: it has 1 columns"));
  EXPECT_THAT(refusal(""), HasSubstr("line 1"));
  EXPECT_THAT(refusal("asset\n" + std::string(kCsvFieldLimit + 1, 'x')), HasSubstr("at most 1024 bytes"));
  EXPECT_THAT(refusal(std::string(kCsvLimit + 1, 'x')), HasSubstr("1 MiB"));
  std::string many = "asset\n";
  for (std::size_t i = 0; i <= kCsvRowLimit; ++i) many += "a\n";
  EXPECT_THAT(refusal(many), HasSubstr("5000 lines"));
  EXPECT_THAT(refusal(std::string(kCsvColumnLimit, ',')), HasSubstr("64 columns"));
}

TEST(Csv, NoFieldIsAFormula) {
  EXPECT_EQ(csv_line({"=1+1", "+84", "-1", "@x", "a,b", "say \"hi\"", ""}), "'=1+1,'+84,'-1,'@x,\"a,b\",\"say \"\"hi\"\"\",\r\n");
}

TEST(MediaImport, ColumnsComeInAnyOrder) {
  const auto media = media_from_csv("size_bytes,state,asset,classification,unit\n1000,broken,TS-1,sensitive,finance\n,,TS/2 b,,\n");
  ASSERT_EQ(media.size(), 2U);
  EXPECT_EQ(media[0].asset, "TS-1");
  EXPECT_EQ(media[0].size_bytes, 1000U);
  EXPECT_TRUE(media[0].broken);
  EXPECT_EQ(media[0].classification, "sensitive");
  EXPECT_EQ(media[1].asset, "TS/2 b");
  EXPECT_EQ(media[1].classification, "not-stated");
  EXPECT_FALSE(media[1].broken);
}

TEST(MediaImport, WhatIsWrongIsNamedByLineAndColumn) {
  EXPECT_THAT(refusal("asset,colour\nTS-1,red\n"), HasSubstr("line 1, column 2 (colour)"));
  EXPECT_THAT(refusal("asset,asset\n"), HasSubstr("it is there twice"));
  EXPECT_THAT(refusal("unit\nx\n"), HasSubstr("\"asset\" is missing"));
  EXPECT_THAT(refusal("unit,asset\nx,TS-1\nx,\n"), HasSubstr("line 3, column 2 (asset)"));
  EXPECT_THAT(refusal("asset\nTS-1\nTS-1\n"), HasSubstr("line 3, column 1 (asset): TS-1 is there twice"));
  EXPECT_THAT(refusal("asset\n/dev/sda\n"), HasSubstr("line 2"));
  EXPECT_THAT(refusal("asset\n TS-1\n"), HasSubstr("line 2"));
  EXPECT_THAT(refusal("asset,size_bytes\nTS-1,12x\n"), HasSubstr("line 2, column 2 (size_bytes): it is no number"));
  EXPECT_THAT(refusal("asset,size_bytes\nTS-1,-1\n"), HasSubstr("no number"));
  EXPECT_THAT(refusal("asset,size_bytes\nTS-1,9007199254740992\n"), HasSubstr("no number"));
  EXPECT_THAT(refusal("asset,state\nTS-1,lost\n"), HasSubstr("in-use or broken"));
  EXPECT_THAT(refusal("asset,classification\nTS-1,secret\n"), HasSubstr("state-secret"));
}

TEST(MediaImport, WhatIsGivenOutHasEveryColumn) {
  Medium medium;
  medium.facts.asset = "TS-1";
  medium.facts.unit = "=cmd()";
  medium.state = MediumState::quarantine;
  const auto rows = parse_csv(csv_of({medium}));
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_THAT(rows[0].fields, testing::Contains("classification"));
  EXPECT_THAT(rows[1].fields, testing::Contains("'=cmd()"));
  EXPECT_THAT(rows[1].fields, testing::Contains("awaiting-disposal"));
  EXPECT_THAT(rows[1].fields, testing::Contains("quarantine"));
}

}  // namespace
}  // namespace qcbak::daemon
