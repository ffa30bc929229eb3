#include "evidence/checkpoint.h"

#include "tests/evidence/logged.h"

namespace qcbak::evidence {
namespace {

class Checkpoints : public Logged {
 protected:
  std::string line() {
    const auto repository = open();
    return checkpoint_line(make_checkpoint(*repository, repository->domains().front(), clock_.now()));
  }
};

TEST_F(Checkpoints, ProveThemselves) {
  const CheckpointDocument checkpoint = check_checkpoint(line(), roots());
  const auto repository = open();
  EXPECT_EQ(checkpoint.head.number, repository->log().head.number);
  EXPECT_EQ(checkpoint.head.hash, repository->log().head.hash);
  EXPECT_EQ(checkpoint.objects.size(), 3U);  // the domain, the second custodian's slot, the writer
}

TEST_F(Checkpoints, OfTheRootNeedItsDomainAlone) {
  const auto repository = tests::open_test_repository(storage_, tests::Access::read);
  const auto checkpoint = make_checkpoint(*repository, repository->domains().front(), clock_.now());
  EXPECT_EQ(checkpoint.objects.size(), 1U);
  EXPECT_NO_THROW(check_checkpoint(checkpoint_line(checkpoint), roots()));
}

TEST_F(Checkpoints, NoByteCanBeAltered) {
  const std::string good = line();
  const Roots trusted = roots();
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_THROW(check_checkpoint(bad, trusted), Error) << at;
  }
  EXPECT_THROW(check_checkpoint(good.substr(0, good.size() - 1), trusted), Error);
  EXPECT_THROW(check_checkpoint(good, {}), Error);
}

TEST_F(Checkpoints, AreSignedByWhoWasCertified) {
  const auto repository = open();
  auto checkpoint = make_checkpoint(*repository, repository->domains().front(), clock_.now());
  const crypto::SignSeed own(Bytes(32, std::byte{9}));
  checkpoint.signer = crypto::sign_public(own);
  const std::string unsigned_line = checkpoint_line(checkpoint);
  const std::string text = unsigned_line.substr(0, unsigned_line.find(",\"signature\""));
  checkpoint.signature = sign_text(own, {kCheckpointFormat, checkpoint.config_hash, crypto::sha256(as_bytes(text))});
  try {
    check_checkpoint(checkpoint_line(checkpoint), roots());
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("somebody who may not"));
  }
}

}  // namespace
}  // namespace qcbak::evidence
