// The code of the Error that `body` throws; a failure of the test when it throws none.
#pragma once

#include <gtest/gtest.h>

#include "base/error.h"

namespace qcbak::tests {

template <class Body>
ErrorCode code_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "no Error";
  return ErrorCode::failed;
}

}  // namespace qcbak::tests
