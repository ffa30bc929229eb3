// The key stream of AES-256 in counter mode (NIST SP 800-38A §6.5) as a sequence of bytes that can be made anew from any
// place on.
#pragma once

#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "crypto/secret.h"

namespace qcbak::crypto {

struct StreamKeyTag;
using StreamKey = SecretKey<StreamKeyTag>;
struct CounterBlockTag;
using CounterBlock = FixedId<CounterBlockTag, 16>;  // big-endian; counts modulo 2^128

// A key is for one stream: nothing else may be encrypted under it.
class Aes256CtrStream {
 public:
  // Byte 0 of the stream is the first of the encryption of `first`.
  explicit Aes256CtrStream(const StreamKey& key, const CounterBlock& first = {});
  Aes256CtrStream(Aes256CtrStream&&) noexcept;
  Aes256CtrStream& operator=(Aes256CtrStream&&) noexcept;
  ~Aes256CtrStream();

  // The bytes from `position` on. Calls on one object must not overlap; each thread has a copy.
  void fill(std::uint64_t position, MutableByteView into);
  Aes256CtrStream copy_for_thread() const;

 private:
  struct State;
  explicit Aes256CtrStream(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace qcbak::crypto
