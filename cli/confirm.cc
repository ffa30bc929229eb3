#include "cli/confirm.h"

#include "base/error.h"
#include "cli/messages.h"
#include "cli/password.h"

namespace qcbak::cli {

void require_confirmation(const Invocation& invocation, const std::string& question) {
  if (invocation.arguments.has("yes")) return;
  if (confirmed_on_terminal(invocation, question + " [y/N]")) return;
  throw Error(ErrorCode::refused,
              std::string(input_is_terminal() ? tr("it was not confirmed; nothing was changed")
                                              : tr("it needs a confirmation, and there is no terminal to ask on")))
      .with_hint(std::string(tr("add --yes when it is meant")));
}

}  // namespace qcbak::cli
