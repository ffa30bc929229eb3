#include "crypto/secret.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>
#include <type_traits>
#include <vector>

#include "base/error.h"

namespace qcbak::crypto {
namespace {

using TestKey = SecretKey<struct TestKeyTag>;
static_assert(!std::is_copy_constructible_v<SecretBytes> && !std::is_copy_assignable_v<SecretBytes>);
static_assert(!std::is_copy_constructible_v<TestKey> && !std::is_copy_assignable_v<TestKey>);
static_assert(std::is_nothrow_move_constructible_v<TestKey> && std::is_nothrow_move_assignable_v<TestKey>);

constexpr std::size_t kPooled = 64;  // the largest secret in a slot of the pool

void fill(SecretBytes& secret, unsigned value) {
  std::ranges::fill(secret.mutable_view(), static_cast<std::byte>(value));
}

bool all(ByteView bytes, unsigned value) {
  return std::ranges::all_of(bytes, [&](std::byte b) { return b == static_cast<std::byte>(value); });
}

// The two-letter flags the kernel shows for the mapping that holds `address`.
std::string mapping_flags(const void* address) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream maps("/proc/self/smaps");
  bool here = false;
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    std::uintptr_t from = 0, to = 0;
    char dash = 0;
    if (words >> std::hex >> from >> dash >> to && dash == '-') here = from <= wanted && wanted < to;
    if (here && line.starts_with("VmFlags:")) return line.substr(8) + " ";
  }
  return "";
}

TEST(SecretBytes, BeginsAsZerosOrAsACopy) {
  for (std::size_t size : {1UL, 32UL, kPooled, kPooled + 1, 100000UL}) {
    const SecretBytes zeros(size);
    EXPECT_EQ(zeros.size(), size);
    EXPECT_TRUE(all(zeros.view(), 0)) << size;
    const Bytes source(size, std::byte{7});
    const SecretBytes copied{ByteView(source)};
    EXPECT_TRUE(equal(copied.view(), source));
    const SecretBytes second = copied.copy();
    EXPECT_TRUE(equal(second.view(), source));
    EXPECT_NE(second.view().data(), copied.view().data());
  }
  EXPECT_TRUE(SecretBytes().empty());
  EXPECT_TRUE(SecretBytes(0).empty());
  EXPECT_TRUE(SecretBytes(ByteView()).copy().empty());
}

TEST(SecretBytes, MovesWithoutCopying) {
  for (std::size_t size : {kPooled, kPooled + 1}) {
    SecretBytes first(size);
    fill(first, 0x5a);
    const std::byte* const where = first.view().data();
    SecretBytes second(std::move(first));
    EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): what a move leaves is the contract
    EXPECT_EQ(second.view().data(), where);
    first = std::move(second);
    EXPECT_TRUE(second.empty());  // NOLINT(bugprone-use-after-move)
    EXPECT_TRUE(all(first.view(), 0x5a));
  }
}

TEST(SecretBytes, WipesWhatGoes) {
  const std::byte* where = nullptr;
  {
    SecretBytes secret(kPooled);
    fill(secret, 0x5a);
    where = secret.view().data();
  }
  EXPECT_TRUE(all(ByteView(where, kPooled), 0)) << "after destruction";  // the pool keeps its pages
  SecretBytes replaced(kPooled), other(kPooled);
  fill(replaced, 0x5a);
  fill(other, 0xa5);
  where = replaced.view().data();
  replaced = std::move(other);
  EXPECT_TRUE(all(ByteView(where, kPooled), 0)) << "after another was moved over it";
  EXPECT_TRUE(all(replaced.view(), 0xa5));
}

TEST(SecretBytes, LiesInLockedMemoryLeftOutOfCoreDumps) {
  const SecretBytes small(32), large(5000);
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* const probe = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(probe, MAP_FAILED);
  const bool can_lock = mlock(probe, page) == 0 && mapping_flags(probe).find(" lo ") != std::string::npos;
  for (const SecretBytes* secret : {&small, &large}) {
    const std::string flags = mapping_flags(secret->view().data());
    EXPECT_NE(flags.find(" dd "), std::string::npos) << flags;
    EXPECT_TRUE(!can_lock || flags.find(" lo ") != std::string::npos) << flags;
  }
  EXPECT_EQ(munmap(probe, page), 0);
}

TEST(SecretBytesDeathTest, DoesWithoutLockedMemoryWhereThereIsNone) {
  const auto without_locking = [] {
    constexpr uid_t kNobody = 65534;
    const rlimit none{0, 0};
    if (setrlimit(RLIMIT_MEMLOCK, &none) != 0) std::_Exit(1);
    if (geteuid() == 0 && setresuid(kNobody, kNobody, kNobody) != 0) std::_Exit(2);
    std::vector<SecretBytes> secrets;
    for (int i = 0; i < 3000; ++i) secrets.emplace_back(kPooled);  // more than one arena
    secrets.emplace_back(100000);
    for (SecretBytes& secret : secrets) fill(secret, 0x5a);
    std::_Exit(0);
  };
  EXPECT_EXIT(without_locking(), testing::ExitedWithCode(0), "");
}

TEST(SecretBytes, ComeAndGoByTheHundredThousandOnManyThreads) {
  constexpr unsigned kThreads = 4;
  constexpr unsigned kRounds = 100000;
  constexpr unsigned kHeld = 700;  // 4 * 700 slots: the pool grows while threads compete for it
  std::vector<unsigned> faults(kThreads);
  {
    std::vector<std::jthread> threads;
    for (unsigned thread = 0; thread < kThreads; ++thread)
      threads.emplace_back([&, thread] {
        std::vector<SecretBytes> held(kHeld);
        const auto mark = [&](unsigned round) { return (round * kThreads + thread) % 251 + 1; };
        for (unsigned round = 0; round < kRounds; ++round) {
          SecretBytes& place = held[round % kHeld];
          if (round >= kHeld && !all(place.view(), mark(round - kHeld))) ++faults[thread];
          place = SecretBytes(1 + round % kPooled);
          if (!all(place.view(), 0)) ++faults[thread];
          fill(place, mark(round));
        }
      });
  }
  EXPECT_EQ(faults, std::vector<unsigned>(kThreads));
}

TEST(SecretKey, HasThirtyTwoBytes) {
  const Bytes bytes(32, std::byte{9});
  EXPECT_TRUE(equal(TestKey(bytes).view(), bytes));
  EXPECT_TRUE(equal(TestKey(bytes).copy().view(), bytes));
  for (std::size_t size : {0UL, 31UL, 33UL}) {
    try {
      TestKey key{ByteView(Bytes(size))};
      ADD_FAILURE() << size;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::damaged);
    }
  }
  SystemRandom random;
  EXPECT_FALSE(equal_in_constant_time(TestKey::random(random).view(), TestKey::random(random).view()));
}

TEST(EqualInConstantTime, ComparesSizeAndEveryByte) {
  const Bytes a(40, std::byte{1});
  EXPECT_TRUE(equal_in_constant_time(a, Bytes(a)));
  EXPECT_TRUE(equal_in_constant_time({}, {}));
  EXPECT_FALSE(equal_in_constant_time(a, ByteView(a).first(39)));
  for (std::size_t i = 0; i < a.size(); ++i) {
    Bytes b = a;
    b[i] ^= std::byte{0x80};
    EXPECT_FALSE(equal_in_constant_time(a, b)) << i;
  }
}

TEST(Wipe, LeavesZeros) {
  Bytes bytes(100, std::byte{0xff});
  wipe(MutableByteView(bytes).first(99));
  EXPECT_TRUE(all(ByteView(bytes).first(99), 0));
  EXPECT_EQ(bytes[99], std::byte{0xff});
  wipe({});
}

TEST(Initialize, MayBeCalledAgain) {
  initialize();
  initialize();
}

}  // namespace
}  // namespace qcbak::crypto
