// A command's side of the daemon's socket. docs/daemon.md "The socket".
#pragma once

#include <string>

namespace qcbak::control {

enum class Method { get, post };

// Sends one request and gives the reply's body, a JSON document. An error that the daemon reports is thrown as it is
// there, with its code and hint; Error(io) when no daemon answers.
std::string call(const std::string& socket, Method method, const std::string& target, const std::string& body = "");

}  // namespace qcbak::control
