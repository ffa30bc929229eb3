// qcbak-recover: what restores, alone and statically linked, on a bare rescue system.
#include <netdb.h>

#include "cli/manual.h"
#include "cli/program.h"

// libcrypto refers to what loads engines and asks name servers, which needs shared libraries: a static program does
// neither, and with these in their place the linker need not warn.
extern "C" {
[[gnu::used]] void* __wrap_dlopen(const char*, int) { return nullptr; }
[[gnu::used]] int __wrap_getaddrinfo(const char*, const char*, const addrinfo*, addrinfo**) { return EAI_FAIL; }
[[gnu::used]] hostent* __wrap_gethostbyname(const char*) { return nullptr; }
}

int main(int argc, char** argv) {
  using namespace qcbak::cli;
  Program program = {
      .name = "qcbak-recover",
      .summary = "restore from a qcbak repository on a bare system",
      .description =
          "Restores from a qcbak repository, and needs nothing but itself, the repository and a password or "
          "credential: no libraries, no "
          "configuration, no cache. The same commands are part of qcbak.",
      .commands = {restore_command(), snapshots_command(), ls_command(), verify_command()},
      .examples = {{"qcbak-recover restore latest --repo /mnt/usb/repository --target /mnt/disk --verify",
                    "asks for the password, restores everything, reads it back"}},
      .keeps_no_cache = true,
  };
  add_internal_commands(program);
  return run_program(program, argc, argv);
}
