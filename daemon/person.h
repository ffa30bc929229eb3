// A person, as the repository's log has them. docs/people.md "A key of one's own".
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "crypto/asymmetric.h"

namespace qcbak::daemon {

struct Person {
  std::string name;
  std::optional<crypto::SignPublic> key;
  Time since;            // of the key
  std::string added_by;  // the user who registered it
  bool locked = false;
};

}  // namespace qcbak::daemon
