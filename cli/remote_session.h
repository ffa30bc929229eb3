// What "qcbak login" keeps for the commands that follow. docs/people.md "Accounts for the network".
#pragma once

#include <optional>
#include <string>

#include "control/client.h"

namespace qcbak::cli {

struct RemoteSession {
  std::string server;   // "https://backup.example.gov.vn:7421"
  std::string ca_file;  // an absolute path; empty: the system's authorities
  std::string name;     // who logged in
  std::string token;

  control::Remote remote() const;  // Error(usage): `server` is no address of one
};

// That commands ask with. None: QCBAK_SOCKET names a daemon of this machine, or nobody is logged in. Error(failed): the file is damaged.
std::optional<RemoteSession> remote_session();
std::optional<RemoteSession> saved_session();  // whatever QCBAK_SOCKET says

// ~/.config/qcbak/session: mode 0600, durable when it returns.
void save_session(const RemoteSession& session);
void forget_session();  // also when there is none

}  // namespace qcbak::cli
