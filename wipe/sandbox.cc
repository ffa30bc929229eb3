#include "wipe/sandbox.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include "base/error.h"
#include "base/unique_fd.h"

namespace qcbak::wipe {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "the sandbox has a list of system calls for x86-64 and AArch64 only"
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMaySeccomp = false;  // sanitizers open files and start processes when they have something to say
#else
constexpr bool kMaySeccomp = true;
#endif

// What overwriting, the journal, the channel, threads and memory need.
constexpr std::uint32_t kAllowed[] = {
    // The disk, the journal, the channel.
    SYS_read,
    SYS_write,
    SYS_pread64,
    SYS_pwrite64,
    SYS_readv,
    SYS_writev,
    SYS_fsync,
    SYS_fdatasync,
    SYS_ftruncate,
    SYS_ioctl,
    SYS_lseek,
    SYS_fstat,
    SYS_close,
    SYS_fcntl,
    SYS_flock,
    SYS_sendto,
    SYS_recvfrom,
    SYS_sendmsg,
    SYS_recvmsg,
    SYS_shutdown,
    SYS_ppoll,
#if defined(__x86_64__)
    SYS_poll,
#endif
    // Time and randomness.
    SYS_clock_gettime,
    SYS_gettimeofday,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_getrandom,
    // Threads, signals, memory.
    SYS_futex,
    SYS_set_robust_list,
    SYS_rseq,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_gettid,
    SYS_getpid,
    SYS_tgkill,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigtimedwait,
    SYS_sigaltstack,
    SYS_restart_syscall,
    SYS_mmap,
    SYS_munmap,
    SYS_mprotect,
    SYS_madvise,
    SYS_mremap,
    SYS_brk,
    SYS_exit,
    SYS_exit_group,
};

// What libraries ask of the file system on their own account, for locales and the like: they live without an answer.
constexpr std::uint32_t kRefused[] = {
    SYS_openat, SYS_newfstatat, SYS_readlinkat, SYS_faccessat, SYS_statx,
#if defined(__x86_64__)
    SYS_open,   SYS_stat,       SYS_access,     SYS_readlink,
#endif
};

constexpr std::uint32_t word(std::size_t offset) { return static_cast<std::uint32_t>(offset); }

// A statement of the filter that ends it with `action` where the system call is `number`.
void add_case(std::vector<sock_filter>& filter, std::uint32_t number, std::uint32_t action) {
  filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, action));
}

std::vector<sock_filter> make_filter() {
  constexpr std::uint32_t kX32 = 0x40000000;  // of numbers of x86-64's other ABI: none that is allowed has it
  static_assert(SYS_read < kX32);
  std::vector<sock_filter> filter;
  filter.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, word(offsetof(seccomp_data, arch))));
  filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0));
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
  filter.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, word(offsetof(seccomp_data, nr))));
  for (const std::uint32_t number : kAllowed) add_case(filter, number, SECCOMP_RET_ALLOW);
  for (const std::uint32_t number : kRefused) add_case(filter, number, SECCOMP_RET_ERRNO | EACCES);
  // Its flags lie in memory, where no filter sees them: without it, the C library takes clone().
  add_case(filter, SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS);
  // Threads, but no processes.
  filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 1, 0));
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
  filter.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, word(offsetof(seccomp_data, args))));
  filter.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1));
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
  return filter;
}

bool filter_system_calls() {
  if (!kMaySeccomp) return false;
  std::vector<sock_filter> filter = make_filter();
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

// Every right that the kernel knows to hold back, and no rule that gives any.
bool close_file_system() {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 1) return false;
  constexpr std::uint64_t kFirst = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
  landlock_ruleset_attr rights{};
  rights.handled_access_fs = kFirst | (abi >= 2 ? 1ULL << 13 : 0) | (abi >= 3 ? 1ULL << 14 : 0);  // refer, truncate
  const UniqueFd rules(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &rights, sizeof(rights.handled_access_fs), 0)));
  return rules && ::syscall(SYS_landlock_restrict_self, rules.get(), 0) == 0;
}

bool drop_capabilities(RawCommands commands) {
  std::uint32_t kept = 0;
  // NVMe's pass-through asks for the one, the filter of SCSI commands for the other.
  if (commands) kept = 1U << (*commands == CommandSet::nvme ? CAP_SYS_ADMIN : CAP_SYS_RAWIO);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> now{};
  if (::syscall(SYS_capget, &header, now.data()) != 0) return false;
  std::array<__user_cap_data_struct, 2> then{};
  then[0].effective = then[0].permitted = now[0].permitted & kept;
  return ::syscall(SYS_capset, &header, then.data()) == 0;
}

}  // namespace

std::vector<std::string> enter_sandbox(RawCommands commands) {
  std::vector<std::string> holds;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) holds.emplace_back("no-new-privileges");
  if (::unshare(CLONE_NEWNET) == 0) holds.emplace_back("network");
  if (drop_capabilities(commands)) holds.emplace_back("capabilities");
  if (close_file_system()) holds.emplace_back("landlock");
  if (filter_system_calls()) holds.emplace_back("seccomp");
  return holds;
}

}  // namespace qcbak::wipe
