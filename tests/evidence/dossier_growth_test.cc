#include "evidence/dossier_growth.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "evidence/certificate.h"

namespace qcbak::evidence {
namespace {

void goes_with(const std::string& before, const std::string& after, const std::string& growth) {
  EXPECT_EQ(dossier_growth(before, after), growth);
  EXPECT_EQ(dossier_grown(before, growth), after);
}

TEST(DossierGrowth, MembersAndTheirPlacesInListsAreKept) {
  goes_with("", "{\"format\":\"x\",\"request\":{\"id\":1}}\n", "{\"format\":\"x\",\"request\":{\"id\":1}}");
  goes_with("{\"request\":1}\n", "{\"approval\":2,\"request\":1}\n", "{\"approval\":2}");
  goes_with("{\"runs\":[{\"medium\":1},{\"medium\":3}]}\n", "{\"runs\":[{\"medium\":1},{\"medium\":1,\"n\":2},{\"medium\":2},{\"medium\":3}]}\n",
            "{\"runs\":[{\"medium\":1,\"n\":2},{\"medium\":2}]}");
  goes_with("{\"request\":1}\n", "{\"request\":1}\n", "{}");
}

TEST(DossierGrowth, WhatDidNotOnlyGrowIsNone) {
  EXPECT_THROW(dossier_growth("{\"request\":1}\n", "{\"request\":2}\n"), Error);
  EXPECT_THROW(dossier_growth("{\"request\":1,\"approval\":1}\n", "{\"request\":1}\n"), Error);
  EXPECT_THROW(dossier_growth("{\"runs\":[{\"medium\":1,\"a\":1}]}\n", "{\"runs\":[{\"medium\":1,\"a\":2},{\"medium\":2}]}\n"), Error);
  EXPECT_THROW(dossier_growth("{\"runs\":[{\"medium\":1},{\"medium\":2}]}\n", "{\"runs\":[{\"medium\":2}]}\n"), Error);
  EXPECT_THROW(dossier_grown("{\"approval\":1}\n", "{\"approval\":2}"), Error);
  EXPECT_THROW(dossier_grown("{\"runs\":[]}\n", "{\"runs\":1}"), Error);
  EXPECT_THROW(dossier_grown("{}\n", "[1]"), Error);
  EXPECT_THROW(dossier_grown("{}\n", "nonsense"), Error);
}

TEST(Certificate, IsReadAsItWasWritten) {
  const Certificate certificate{"{\"format\":\"qcbak dossier 1\"}\n", LogRange{3, 9, 12, "ab"}};
  const std::string text = encode(certificate);
  const Certificate read = parse_certificate(text);
  EXPECT_EQ(read.dossier, certificate.dossier);
  ASSERT_TRUE(read.log);
  EXPECT_EQ(read.log->head_number, 12U);
  EXPECT_EQ(parse_certificate(certificate.dossier).dossier, certificate.dossier);
  EXPECT_FALSE(parse_certificate(certificate.dossier).log);
  for (std::size_t at = 12; at < text.size(); ++at) {
    std::string altered = text;
    altered[at] ^= 1;
    try {
      EXPECT_NE(encode(parse_certificate(altered)), text);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::damaged);
    }
  }
}

}  // namespace
}  // namespace qcbak::evidence
