#include "cli/password.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "base/error.h"
#include "base/unique_fd.h"
#include "cli/messages.h"

namespace qcbak::cli {
namespace {

using crypto::SecretBytes;

constexpr int kPollMs = 100;

Error interrupted() { return Error(ErrorCode::interrupted, std::string(tr("stopped on request"))); }

bool readable_soon(int fd) {
  pollfd wait{fd, POLLIN, 0};
  return ::poll(&wait, 1, kPollMs) > 0;
}

// The first line of what can be read, without its newline; what follows is not read.
SecretBytes read_first_line(int fd, std::string_view object, const std::stop_token& stop) {
  SecretBytes buffer(kPasswordMost + 1);
  std::size_t size = 0;
  for (;;) {
    if (stop.stop_requested()) throw interrupted();
    if (!readable_soon(fd)) continue;
    std::byte next;
    const ssize_t got = ::read(fd, &next, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("read", object);
    if (got == 0 || next == std::byte{'\n'}) break;
    if (size == kPasswordMost)
      throw Error(ErrorCode::usage, say("the password from {} is longer than {} bytes", object, kPasswordMost));
    buffer.mutable_view()[size++] = next;
  }
  // A file from another system ends its lines with "\r\n".
  if (size > 0 && buffer.view()[size - 1] == std::byte{'\r'}) --size;
  return SecretBytes(buffer.view().first(size));
}

SecretBytes password_from_file(const std::string& path, const std::stop_token& stop) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw_errno("open the password file", path);
  SecretBytes password = read_first_line(fd.get(), path, stop);
  if (password.empty())
    throw Error(ErrorCode::wrong_key, say("the password file {} has an empty first line", path))
        .with_hint(std::string(tr("write the password there, on the first line")));
  return password;
}

SecretBytes password_from_command(const std::string& command, const std::stop_token& stop) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("make", "a pipe");
  UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to.get(), STDOUT_FILENO);
  // The command is stopped by the signals that this program keeps from its own threads.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  sigset_t restored;
  sigemptyset(&restored);
  sigaddset(&restored, SIGPIPE);
  sigaddset(&restored, SIGXFSZ);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &restored);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::array<std::string, 3> words = {"sh", "-c", command};
  std::array<char*, 4> argv = {words[0].data(), words[1].data(), words[2].data(), nullptr};
  pid_t child = 0;
  const int failure = ::posix_spawn(&child, "/bin/sh", &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failure != 0) throw_errno("run", "/bin/sh", failure);
  to = UniqueFd();
  SecretBytes password;
  std::exception_ptr stopped;
  try {
    password = read_first_line(from.get(), tr("the password command"), stop);
  } catch (...) {
    stopped = std::current_exception();
    ::kill(child, SIGTERM);
  }
  from = UniqueFd();
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (stopped) std::rethrow_exception(stopped);
  // After its first line nobody reads on: SIGPIPE is no failure.
  const bool ended_well = WIFEXITED(status) ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGPIPE;
  if (!ended_well || password.empty())
    throw Error(ErrorCode::wrong_key, std::string(tr("the password command failed, or printed nothing")))
        .with_hint(std::string(tr("try it by hand: it must print the password on its first line and end with 0")));
  return password;
}

// The terminal with echo off, put back when it goes.
class Terminal {
 public:
  explicit Terminal(bool echo) : fd_(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)) {
    if (!fd_) throw_errno("open", "/dev/tty");
    if (echo || ::tcgetattr(fd_.get(), &before_) != 0) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = ::tcsetattr(fd_.get(), TCSAFLUSH, &silent) == 0;
    if (!changed_) throw_errno("silence", "/dev/tty");
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() {
    if (changed_) ::tcsetattr(fd_.get(), TCSAFLUSH, &before_);
  }
  SecretBytes ask(const std::string& prompt, const std::stop_token& stop) {
    write_full(fd_.get(), as_bytes(prompt), "/dev/tty");
    SecretBytes answer = read_first_line(fd_.get(), "/dev/tty", stop);
    if (changed_) write_full(fd_.get(), as_bytes("\n"), "/dev/tty");
    return answer;
  }

 private:
  UniqueFd fd_;
  termios before_{};
  bool changed_ = false;
};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::optional<SecretBytes> named_password(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  if (const auto file = arguments.value("password-file")) return password_from_file(*file, invocation.stop);
  if (const auto command = arguments.value("password-command")) return password_from_command(*command, invocation.stop);
  if (const std::string file = environment("QCBAK_PASSWORD_FILE"); !file.empty())
    return password_from_file(file, invocation.stop);
  if (const std::string command = environment("QCBAK_PASSWORD_COMMAND"); !command.empty())
    return password_from_command(command, invocation.stop);
  return std::nullopt;
}

Error no_password() {
  return Error(ErrorCode::wrong_key, std::string(tr("no password was given, and there is no terminal to ask for it")))
      .with_hint(std::string(tr("name one with QCBAK_PASSWORD_FILE, QCBAK_PASSWORD_COMMAND or QCBAK_CREDENTIAL_FILE")));
}

SecretBytes strong_enough(SecretBytes password) {
  if (password.size() < kPasswordLeast)
    throw Error(ErrorCode::usage, say("the new password has fewer than {} bytes: it could be guessed", kPasswordLeast))
        .with_hint(std::string(tr("choose a longer one, for example: head -c 24 /dev/urandom | base64")));
  return password;
}

SecretBytes ask_twice(const Invocation& invocation) {
  if (!input_is_terminal()) throw no_password();
  Terminal terminal(false);
  SecretBytes password = strong_enough(terminal.ask(std::string(tr("New password: ")), invocation.stop));
  const SecretBytes again = terminal.ask(std::string(tr("The same again: ")), invocation.stop);
  if (!crypto::equal_in_constant_time(password.view(), again.view()))
    throw Error(ErrorCode::usage, std::string(tr("the two passwords are not the same")))
        .with_hint(std::string(tr("start again; nothing was changed")));
  return password;
}

}  // namespace

bool input_is_terminal() { return ::isatty(STDIN_FILENO) == 1; }

SecretBytes read_password(const Invocation& invocation) {
  if (auto named = named_password(invocation)) return std::move(*named);
  if (!input_is_terminal()) throw no_password();
  return Terminal(false).ask(std::string(tr("Password of the repository: ")), invocation.stop);
}

SecretBytes read_first_password(const Invocation& invocation) {
  if (auto named = named_password(invocation)) return strong_enough(std::move(*named));
  return ask_twice(invocation);
}

SecretBytes read_passphrase(const Invocation& invocation) {
  if (const std::string file = environment("QCBAK_SIGN_PASSWORD_FILE"); !file.empty())
    return password_from_file(file, invocation.stop);
  if (!input_is_terminal())
    throw Error(ErrorCode::wrong_key, std::string(tr("no passphrase was given, and there is no terminal to ask for it")))
        .with_hint(std::string(tr("name a file that holds it with QCBAK_SIGN_PASSWORD_FILE")));
  return Terminal(false).ask(std::string(tr("Passphrase of your signing key: ")), invocation.stop);
}

SecretBytes read_new_passphrase(const Invocation& invocation) {
  if (const auto file = invocation.arguments.value("new-password-file"))
    return strong_enough(password_from_file(*file, invocation.stop));
  if (const std::string file = environment("QCBAK_SIGN_PASSWORD_FILE"); !file.empty())
    return strong_enough(password_from_file(file, invocation.stop));
  return ask_twice(invocation);
}

SecretBytes read_new_password(const Invocation& invocation) {
  if (const auto file = invocation.arguments.value("new-password-file"))
    return strong_enough(password_from_file(*file, invocation.stop));
  if (const std::string file = environment("QCBAK_NEW_PASSWORD_FILE"); !file.empty())
    return strong_enough(password_from_file(file, invocation.stop));
  return ask_twice(invocation);
}

SecretBytes read_account_password(const Invocation& invocation) {
  if (const auto file = invocation.arguments.value("password-file")) return password_from_file(*file, invocation.stop);
  if (!input_is_terminal())
    throw Error(ErrorCode::wrong_key, std::string(tr("no password was given, and there is no terminal to ask for it")))
        .with_hint(std::string(tr("name a file that holds it with --password-file")));
  return Terminal(false).ask(std::string(tr("Password of your account: ")), invocation.stop);
}

SecretBytes read_new_account_password(const Invocation& invocation) {
  if (const auto file = invocation.arguments.value("new-password-file")) return password_from_file(*file, invocation.stop);
  return ask_twice(invocation);
}

std::string ask_on_terminal(const Invocation& invocation, const std::string& question) {
  return std::string(as_text(Terminal(true).ask(question, invocation.stop).view()));
}

bool confirmed_on_terminal(const Invocation& invocation, const std::string& question) {
  if (!input_is_terminal()) return false;
  const std::string text = ask_on_terminal(invocation, question + " ");
  for (const std::string_view yes : {"y", "Y", "yes", "Yes", "c", "C", "có", "Có"})
    if (text == yes) return true;
  return false;
}

}  // namespace qcbak::cli
