// The messenger: the one process of the daemon that has the network. docs/daemon.md "Telling people".
#pragma once

#include <functional>
#include <string>

#include "config/config.h"
#include "daemon/messenger_order.h"

namespace qcbak::daemon {

// Sends it where the configuration says. `stop`: asked now and then. Error: whoever it was for does not have it.
void deliver(const config::Config& config, const MessengerOrder& order, const std::function<bool()>& stop);

// Takes one order from the socket, delivers, and sends the result. `config`: root's configuration, which alone says where
// things go; empty: what the order brings along, which the daemon's own child may believe. `orders_from`: the user whose
// orders are taken; empty: this process's own. Returns the exit code: 0 once the daemon has the result.
int run_messenger(int socket, const std::string& config, const std::string& orders_from);

// A test message to each table [[notify]], at once; prints what came of each. False: at least one did not arrive, or there is
// none.
bool send_test(const config::Config& config);

}  // namespace qcbak::daemon
