#include "evidence/log_export.h"

#include "tests/evidence/logged.h"

namespace qcbak::evidence {
namespace {

using namespace repository;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

class LogExport : public Logged {
 protected:
  // Of a line: the entry it is, or the next one; the number of entries and 1 for the end.
  static std::uint64_t entry_at(const std::vector<std::string>& lines, std::size_t at) {
    for (; at < lines.size(); ++at) {
      const Json json = parse_object(lines[at]);
      if (json.contains("entry")) return json["entry"];
      if (json.contains("end")) return json["end"].get<std::uint64_t>() + 1;
    }
    return 0;
  }
  static std::size_t line_with(const std::vector<std::string>& lines, std::uint64_t entry) {
    for (std::size_t at = 0; at < lines.size(); ++at)
      if (lines[at].starts_with("{\"entry\":" + std::to_string(entry) + ",")) return at;
    return 0;
  }
  // The lines with an end of their own, as who has only this key could make it.
  std::string signed_anew(const std::vector<std::string>& lines, const LogHead& head, const crypto::SignSeed& seed) {
    const auto repository = open();
    const std::string before = text_of(lines);
    const std::string end = unsigned_part(
        end_json(head, utc_text(clock_.now()), repository->domains().front().id, crypto::sign_public(seed)));
    const crypto::Sha256 hash = crypto::sha256(as_bytes(before + end));
    return before + end + signature_part(sign_text(seed, {kLogExportFormat, repository->config_hash(), hash})) + "\n";
  }
  LogExportCheck check(const std::string& text) { return check_text(text, roots_); }
  std::vector<LogFinding> findings(const std::string& text) { return check(text).log.findings; }

  const std::string text_ = exported();
  const std::vector<std::string> lines_ = lines_of(text_);
  const Roots roots_ = roots();
};

TEST_F(LogExport, ProvesItself) {
  const LogExportCheck whole = check(text_);
  EXPECT_THAT(whole.log.findings, IsEmpty());
  EXPECT_EQ(whole.log.last.hash, summary_.last.hash);
  EXPECT_EQ(whole.log.entries, summary_.last.number);
  EXPECT_EQ(whole.opened, summary_.opened);
  EXPECT_EQ(whole.sealed, 0U);
  EXPECT_THAT(check_text(text_, roots_, {summary_.last}).log.findings, IsEmpty());
  EXPECT_THAT(check_text(text_, roots_, {{summary_.last.number + 1, {}}}).log.findings,
              ElementsAre(Finds(summary_.last.number + 1, "is missing")));
}

TEST_F(LogExport, ShowsWhatWasSealed) {
  for (const char* shown :
       {R"("labels":{"đơn vị":"tài chính"})", R"("reason":"audit")", R"("act":"run.ended","n":[1,2.5,null])",
        "\"text\":\"no \xef\xbf\xbd JSON\"", R"("until":"1969-12-31T23:59:59.999999999Z")"})
    EXPECT_THAT(text_, testing::HasSubstr(shown));
}

TEST_F(LogExport, LeavesOutGrantsAndWhatPasswordsCouldBeTriedOn) {
  const auto repository = open();
  unsigned slots = 0, writers = 0;
  for (const std::string& line : lines_) {
    const Json json = parse_object(line);
    if (!json.contains("object")) continue;
    const KeyObject object =
        parse_key_object(repository->config_hash(), from_base64(json["stored"].get<std::string>()));
    EXPECT_FALSE(std::holds_alternative<GrantObject>(object.content));
    writers += std::holds_alternative<WriterObject>(object.content);
    if (const auto* slot = std::get_if<SlotObject>(&object.content)) {
      ++slots;
      EXPECT_EQ(slot->name, "second");  // without it nobody sees that the daemon's writer may sign
    }
  }
  EXPECT_EQ(slots, 1U);
  EXPECT_GE(writers, 2U);
}

TEST_F(LogExport, OpensTheDetailsOfAWindowAlone) {
  const Time middle{clock_.now().ns - 5 * tests::kSecondNs};
  for (const LogExportOptions& options : {LogExportOptions{middle, {}}, LogExportOptions{{}, middle}}) {
    const std::string text = exported(options);
    const LogExportCheck part = check(text);
    EXPECT_THAT(part.log.findings, IsEmpty());
    EXPECT_GT(part.opened, 0U);
    EXPECT_GT(part.sealed, 0U);
    EXPECT_EQ(part.opened, summary_.opened);
    EXPECT_EQ(text.find("run.ended") != text.npos, options.since.has_value());
  }
}

TEST_F(LogExport, NoByteCanBeAltered) {
  // The first line is another case: a config of a later version looks like that.
  for (std::size_t at = 1; at < lines_.size(); ++at) {
    const std::uint64_t entry = entry_at(lines_, at);
    for (std::size_t byte = 0; byte < lines_[at].size(); byte += lines_[at].size() / 40 + 1) {
      std::vector<std::string> lines = lines_;
      lines[at][byte] = static_cast<char>(lines[at][byte] ^ 1);
      const std::vector<LogFinding> found = findings(text_of(lines));
      ASSERT_THAT(found, Not(IsEmpty())) << at << " " << byte;
      if (lines_[at].starts_with("{\"entry\"") || lines_[at].starts_with("{\"object\"")) {
        EXPECT_THAT(found, Contains(testing::Field(&LogFinding::number, entry))) << at << " " << byte;
      }
    }
  }
}

TEST_F(LogExport, NorOneOfTheFirstLine) {
  for (std::size_t byte = 0; byte < lines_[0].size(); ++byte) {
    std::vector<std::string> lines = lines_;
    lines[0][byte] = static_cast<char>(lines[0][byte] ^ 1);
    try {
      EXPECT_THAT(findings(text_of(lines)), Not(IsEmpty())) << byte;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::unsupported) << byte;
    }
  }
}

TEST_F(LogExport, NoLineCanBeRemovedSwappedOrDoubled) {
  for (std::size_t at = 0; at < lines_.size(); ++at) {
    std::vector<std::string> removed = lines_, doubled = lines_;
    removed.erase(removed.begin() + static_cast<std::ptrdiff_t>(at));
    doubled.insert(doubled.begin() + static_cast<std::ptrdiff_t>(at), lines_[at]);
    EXPECT_THAT(findings(text_of(removed)), Not(IsEmpty())) << at;
    EXPECT_THAT(findings(text_of(doubled)), Not(IsEmpty())) << at;
    if (lines_[at].starts_with("{\"entry\"")) {
      EXPECT_THAT(findings(text_of(removed)), Contains(Finds(entry_at(lines_, at), "is missing"))) << at;
    }
    if (at + 1 == lines_.size()) continue;
    std::vector<std::string> swapped = lines_;
    std::swap(swapped[at], swapped[at + 1]);
    EXPECT_THAT(findings(text_of(swapped)), Not(IsEmpty())) << at;
  }
}

TEST_F(LogExport, TheTailCannotBeCut) {
  for (std::size_t size = lines_[0].size() + 1; size < text_.size(); size += 97)
    EXPECT_THAT(findings(text_.substr(0, size)), Contains(Finds(0U, ""))) << size;
  EXPECT_THAT(findings(text_.substr(0, text_.size() - 1)), Not(IsEmpty()));
  EXPECT_THAT(findings(text_ + "{}\n"), Contains(Finds(0U, "stands behind the end")));
  // Who has no key of the repository cannot give a shorter one an end.
  std::vector<std::string> shorter(lines_.begin(), lines_.end() - 2);
  const auto last = crypto::Sha256(from_hex(parse_object(shorter.back())["hash"].get<std::string>()));
  const crypto::SignSeed own(Bytes(32, std::byte{9}));
  EXPECT_THAT(findings(signed_anew(shorter, {summary_.last.number - 1, last}, own)),
              ElementsAre(Finds(0U, "was signed by somebody who may not")));
  shorter.push_back(lines_.back());
  EXPECT_THAT(findings(text_of(shorter)), Contains(Finds(summary_.last.number, "is missing")));
}

TEST_F(LogExport, AKeyThatNobodyCertifiedSignsNothing) {
  const std::vector<std::string> all(lines_.begin(), lines_.end() - 1);
  EXPECT_THAT(findings(signed_anew(all, summary_.last, crypto::SignSeed(Bytes(32, std::byte{9})))),
              ElementsAre(Finds(0U, "was signed by somebody who may not")));
  // And a certified one signs only what is so: the exporter shows other details, with the right key and with none.
  const auto repository = open();
  const crypto::SignSeed& daemon = repository->domains().front().signer;
  const std::size_t at = line_with(all, summary_.last.number);
  std::vector<std::string> other = all;
  const std::size_t reason = other[at].find("\"old\"");
  ASSERT_NE(reason, std::string::npos);
  other[at].replace(reason, 5, "\"new\"");
  EXPECT_THAT(findings(signed_anew(other, summary_.last, daemon)),
              ElementsAre(Finds(summary_.last.number, "says something else than is shown of it")));
  const std::size_t key = other[at].find(",\"key\":\"");
  std::string without = other[at];
  without.erase(key, without.find(",\"stored\"") - key);
  other[at] = without;
  EXPECT_THAT(findings(signed_anew(other, summary_.last, daemon)),
              ElementsAre(Finds(summary_.last.number, "says something else than is shown of it")));
  other[at] = all[at];
  other[at].replace(key + 8, 43, std::string(43, 'A'));
  EXPECT_THAT(findings(signed_anew(other, summary_.last, daemon)),
              Contains(Finds(summary_.last.number, "is not opened by the key shown")));
}

TEST_F(LogExport, NothingOfAnotherRepositoryFits) {
  class Another : public Logged {
   public:
    Another() : Logged(2) {}
    void TestBody() override {}
    std::vector<std::string> lines() { return lines_of(exported()); }
  };
  Another another;
  const std::vector<std::string> others = another.lines();
  for (std::size_t at = 1; at < lines_.size(); ++at) {
    std::vector<std::string> inserted = lines_, replaced = lines_;
    inserted.insert(inserted.begin() + static_cast<std::ptrdiff_t>(at), others[at]);
    replaced[at] = others[at];
    EXPECT_THAT(findings(text_of(inserted)), Not(IsEmpty())) << at;
    EXPECT_THAT(findings(text_of(replaced)), Contains(Finds(entry_at(lines_, at) % (summary_.last.number + 1), "")))
        << at;
  }
  EXPECT_THAT(check_text(text_, {crypto::SignPublic(Bytes(32, std::byte{7}))}).log.findings,
              ElementsAre(Finds(1U, "is not among the public keys given")));
  EXPECT_THAT(check_text(text_, {}).log.findings, ElementsAre(Finds(1U, "is not among the public keys given")));
}

TEST_F(LogExport, AnAlteredLogIsNotExported) {
  const auto repository = open();
  Bytes entry = storage_.get(log_path(5), kLogEntryLimit).value();
  entry.back() ^= std::byte{1};
  storage_.replace(log_path(5), entry);
  EXPECT_THROW(export_log(*repository, repository->domains().front(), clock_.now(), {}, [](std::string_view) {}, {}),
               Error);
}

TEST_F(LogExport, StopsWhenAsked) {
  const auto repository = open();
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(
      export_log(
          *repository, repository->domains().front(), clock_.now(), {}, [](std::string_view) {}, stop.get_token()),
      Error);
}

TEST_F(LogExport, HostileLinesAreFindings) {
  const std::string deep = "{\"entry\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  for (const std::string& line : {std::string(), std::string("{}"), std::string("null"), std::string("{\"entry\":1}"),
                                  std::string("{\"object\":\"\"}"), deep, std::string(1000, '\0'),
                                  std::string("{\"end\":18446744073709551615}")}) {
    std::vector<std::string> lines = lines_;
    lines.insert(lines.begin() + 3, line);
    EXPECT_THAT(findings(text_of(lines)), Not(IsEmpty())) << line.substr(0, 50);
  }
}

}  // namespace
}  // namespace qcbak::evidence
