#include "cli/manual.h"

namespace qcbak::cli {

void add_internal_commands(Program&) {}

}  // namespace qcbak::cli
