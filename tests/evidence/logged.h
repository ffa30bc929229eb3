// A repository whose log has an entry of every kind, signed by a root, a writer and a second custodian.
#pragma once

#include <gmock/gmock.h>

#include "backup/repository/custodians.h"
#include "evidence/checkpoint.h"
#include "evidence/log_export.h"
#include "tests/repository/test_repository.h"
#include "tests/simulated/simulated_storage.h"
#include "tests/support/seeded_random.h"

namespace qcbak::evidence {

MATCHER_P2(Finds, number, what, "") { return arg.number == number && arg.what.find(what) != std::string::npos; }

inline std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  for (std::size_t end = 0; (end = text.find('\n')) != text.npos; text.remove_prefix(end + 1))
    lines.emplace_back(text.substr(0, end));
  return lines;
}
inline std::string text_of(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

// From memory, in pieces that cut lines anywhere.
inline ReadMore reading(std::string_view text) {
  return [text, piece = std::size_t{0}](MutableByteView into) mutable {
    const std::size_t count = std::min({into.size(), text.size(), piece++ % 7 * 100 + 1});
    std::memcpy(into.data(), text.data(), count);
    text.remove_prefix(count);
    return count;
  };
}

inline LogExportCheck check_text(std::string_view text, const Roots& roots,
                                 const std::vector<repository::LogHead>& known = {}) {
  LineReader lines(reading(text));
  const auto first = lines.next(kFirstLineLimit);
  const std::string header(first.value_or(""));
  return check_log_export(header, lines, roots, known);
}

class Logged : public testing::Test {
 protected:
  explicit Logged(std::uint64_t seed = 1) : random_(seed) {
    tests::create_test_repository(storage_, clock_, random_);
    const auto root = tests::open_test_repository(storage_, tests::Access::read);
    repository::add_custodian(context(*root), "second", as_bytes("correct horse"));
    repository::Repository second(storage_, {});
    second.unlock_with_password(as_bytes("correct horse"));
    credential_ = repository::issue_credential({context(second)}, repository::CredentialKind::write, "daemon");
    const auto writer = open();
    for (const repository::LogEvent& event : events()) {
      clock_.advance(tests::kSecondNs);
      repository::append_log(context(*writer), [&] { return event; });
    }
  }

  static std::vector<repository::LogEvent> events() {
    const repository::SnapshotId snapshot(Bytes(32, std::byte{5}));
    const std::vector<repository::ObjectName> packs{repository::ObjectName(Bytes(32, std::byte{6}))};
    return {repository::Commit{packs[0], snapshot, 1},
            repository::Relabel{snapshot, {{"đơn vị", "tài chính"}}},
            repository::Hold{snapshot, "audit"},
            repository::Release{snapshot, "done"},
            repository::RetentionLock{snapshot, Time{-1}},
            repository::Condemnation{packs},
            repository::Collection{packs},
            repository::Audit{R"({"act":"run.ended","n":[1,2.5,null]})"},
            repository::Audit{"no \xff JSON"},
            repository::Tombstone{{snapshot}, "old"}};
  }

  std::unique_ptr<repository::Repository> open() {
    auto repository = std::make_unique<repository::Repository>(storage_, repository::OpenOptions{});
    repository->unlock_with_credential(credential_.view());
    return repository;
  }
  repository::WriteContext context(repository::Repository& repository) {
    return {storage_, repository, repository.domain(""), clock_, random_};
  }
  Roots roots() {
    const auto repository = tests::open_test_repository(storage_, tests::Access::locked);
    const auto& keys = repository->log().keys;
    return {keys.domain(keys.domains().front())->root};
  }
  std::string exported(const LogExportOptions& options = {}) {
    const auto repository = open();
    std::string text;
    summary_ = export_log(*repository, repository->domains().front(), clock_.now(), options,
                          [&](std::string_view line) { text += line; }, {});
    return text;
  }

  simulated::Medium medium_;
  simulated::SimulatedStorage storage_{medium_};
  tests::ManualClock clock_;
  tests::SeededRandom random_;
  crypto::SecretBytes credential_;
  LogExportSummary summary_;
};

}  // namespace qcbak::evidence
