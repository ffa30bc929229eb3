#include "backup/source/glob.h"

#include <gmock/gmock.h>

#include <chrono>

#include "base/error.h"
#include "base/unique_fd.h"
#include "tests/support/temporary_directory.h"

namespace qcbak::source {
namespace {

using ::testing::HasSubstr;

bool file_matches(std::string_view pattern, std::string_view path) {
  Patterns patterns;
  patterns.add(pattern);
  return patterns.matches(path, false);
}

bool directory_matches(std::string_view pattern, std::string_view path) {
  Patterns patterns;
  patterns.add(pattern);
  return patterns.matches(path, true);
}

TEST(Patterns, NameMatchesAtAnyDepth) {
  EXPECT_TRUE(file_matches("cache", "/cache"));
  EXPECT_TRUE(file_matches("cache", "/home/a/cache"));
  EXPECT_TRUE(file_matches("*.o", "/src/main.o"));
  EXPECT_TRUE(file_matches("cache", "/home/cache/below/it"));
  EXPECT_FALSE(file_matches("cache", "/home/caches"));
  EXPECT_FALSE(file_matches("*.o", "/src/main.o.txt"));
}

TEST(Patterns, RootedMatchesFromTheRootOnly) {
  EXPECT_TRUE(file_matches("/var/tmp", "/var/tmp"));
  EXPECT_TRUE(file_matches("/var/tmp", "var/tmp/x"));
  EXPECT_FALSE(file_matches("/var/tmp", "/mnt/var/tmp"));
  EXPECT_FALSE(file_matches("/tmp", "/var/tmp"));
  EXPECT_FALSE(file_matches("/var/tmp", "/var"));
}

TEST(Patterns, RelativeWithSlashStartsAtTheBase) {
  Patterns patterns("/srv/d*ta");
  patterns.add("build/out");
  patterns.add("./top");
  EXPECT_TRUE(patterns.matches("/srv/d*ta/build/out", true));
  EXPECT_TRUE(patterns.matches("/srv/d*ta/top", true));
  EXPECT_FALSE(patterns.matches("/srv/data/build/out", true));  // the base has no wildcards
  EXPECT_FALSE(patterns.matches("/srv/d*ta/x/build/out", true));
  EXPECT_FALSE(patterns.matches("/build/out", true));
}

TEST(Patterns, SingleStarStaysWithinAComponent) {
  EXPECT_TRUE(file_matches("/home/*/cache", "/home/a/cache"));
  EXPECT_FALSE(file_matches("/home/*/cache", "/home/a/b/cache"));
  EXPECT_FALSE(file_matches("/home/*/cache", "/home/cache"));
  EXPECT_FALSE(file_matches("/a?b", "/a/b"));
  EXPECT_FALSE(file_matches("/a[!x]b", "/a/b"));
}

TEST(Patterns, DoubleStarCrossesDirectories) {
  for (const char* path : {"/a/b", "/a/x/b", "/a/x/y/b", "/a/x/y/b/below"}) EXPECT_TRUE(file_matches("/a/**/b", path)) << path;
  EXPECT_FALSE(file_matches("/a/**/b", "/b"));
  EXPECT_TRUE(file_matches("**/b", "/x/y/b"));
  EXPECT_TRUE(file_matches("**/b/**/c", "/x/b/y/b/z/c"));
  EXPECT_TRUE(file_matches("/a/**/**/b", "/a/b"));
  EXPECT_TRUE(file_matches("/a/**", "/a/x"));
  EXPECT_FALSE(directory_matches("/a/**", "/a"));
  EXPECT_TRUE(file_matches("a**b", "/axxb"));
}

TEST(Patterns, TrailingSlashIsForDirectories) {
  EXPECT_TRUE(directory_matches("cache/", "/x/cache"));
  EXPECT_FALSE(file_matches("cache/", "/x/cache"));
  EXPECT_TRUE(file_matches("cache/", "/x/cache/file"));
  EXPECT_FALSE(file_matches("/x/cache/", "/x/cache"));
  EXPECT_TRUE(file_matches("cache/", "/cache/cache"));  // the outer one is a directory
}

TEST(Patterns, SetsAndEscapes) {
  EXPECT_TRUE(file_matches("[a-cx]1", "/b1"));
  EXPECT_FALSE(file_matches("[a-cx]1", "/d1"));
  EXPECT_TRUE(file_matches("[!a-c]", "/d"));
  EXPECT_TRUE(file_matches("[^a-c]", "/d"));
  EXPECT_FALSE(file_matches("[!a-c]", "/a"));
  EXPECT_TRUE(file_matches("[]x]", "/]"));
  EXPECT_TRUE(file_matches("[a-]", "/-"));
  EXPECT_TRUE(file_matches("[\\]]", "/]"));
  EXPECT_TRUE(file_matches("\\*", "/*"));
  EXPECT_FALSE(file_matches("\\*", "/x"));
  EXPECT_TRUE(file_matches("\\!x", "/!x"));
}

TEST(Patterns, CharactersAreOfUtf8OrSingleBytes) {
  EXPECT_TRUE(file_matches("đề ?n", "/đề án"));
  EXPECT_TRUE(file_matches("[áà]", "/à"));
  EXPECT_FALSE(file_matches("??", "/á"));
  EXPECT_TRUE(file_matches("a?b", "/a\xff" "b"));
  EXPECT_TRUE(file_matches("\xff*", "/\xff\xfe\n"));
  EXPECT_FALSE(file_matches("\xff", "/\xfe"));
  EXPECT_FALSE(file_matches("\xc3", "/\xc3\xa1"));
}

TEST(Patterns, LastMatchDecides) {
  Patterns patterns;
  patterns.add("*.log");
  patterns.add("!keep.log");
  EXPECT_TRUE(patterns.matches("/a.log", false));
  EXPECT_FALSE(patterns.matches("/keep.log", false));
  patterns.add("/old/keep.log");
  EXPECT_TRUE(patterns.matches("/old/keep.log", false));
  EXPECT_FALSE(Patterns().matches("/a", false));
}

TEST(Patterns, MayMatchBelow) {
  Patterns patterns;
  patterns.add("/home/*/docs");
  for (const char* path : {"", "/", "/home", "/home/a", "/home/a/docs", "/home/a/docs/x"})
    EXPECT_TRUE(patterns.may_match_below(path)) << path;
  for (const char* path : {"/var", "/home/a/music", "/homes"}) EXPECT_FALSE(patterns.may_match_below(path)) << path;
  patterns.add("*.o");
  EXPECT_TRUE(patterns.may_match_below("/var"));
}

TEST(Patterns, RefusesWhatIsNoPattern) {
  for (const char* bad : {"", "/", "!", "//", ".", "[a", "a[/]", "a\\", "[z-a]", "a/../b", "[\\"}) {
    Patterns patterns;
    try {
      patterns.add(bad);
      ADD_FAILURE() << bad << " was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage) << bad;
    }
  }
  EXPECT_THROW(Patterns().add(std::string(Patterns::kLengthLimit + 1, 'a')), Error);
}

TEST(Patterns, ReadsFiles) {
  const tests::TemporaryDirectory directory;
  const std::string path = directory / "excludes";
  write_file_durably(path, as_bytes("# comment\n\n*.o\n!main.o\n\\#x\nlast"));
  Patterns patterns;
  patterns.add_file(path);
  EXPECT_TRUE(patterns.matches("/a.o", false));
  EXPECT_FALSE(patterns.matches("/main.o", false));
  EXPECT_TRUE(patterns.matches("/#x", false));
  EXPECT_TRUE(patterns.matches("/last", false));
  EXPECT_FALSE(patterns.matches("/# comment", false));

  write_file_durably(path, as_bytes("a\n\n[b\n"));
  try {
    patterns.add_file(path);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("line 3"));
  }
}

TEST(Patterns, NeverExponential) {
  std::string stars, deep, directories;
  for (int i = 0; i < 500; ++i) {
    stars += "*a";
    directories += "/a";
  }
  for (int i = 0; i < 100; ++i) deep += "**/a/";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(file_matches("*a*a*a*a*b", "/" + std::string(4000, 'a')));
  EXPECT_FALSE(file_matches(stars + "b", "/" + std::string(4000, 'a')));
  EXPECT_FALSE(file_matches(deep + "b", directories));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

}  // namespace
}  // namespace qcbak::source
