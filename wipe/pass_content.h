// What a step writes, as a function of the offset: any range of any step can be made again, in any order.
// docs/sanitisation.md "What a pass writes".
#pragma once

#include <optional>
#include <variant>

#include "crypto/keystream.h"
#include "wipe/plan.h"

namespace qcbak::wipe {

struct JobSecretTag;
using JobSecret = crypto::SecretKey<JobSecretTag>;

class PassContent {
 public:
  // Of the step at `index`, which writes; the plan is one that check_plan() accepts.
  PassContent(const Plan& plan, std::size_t index, const JobSecret& secret);

  // The bytes of the disk from `offset` on. Calls on one object must not overlap; each thread has a copy.
  void fill(std::uint64_t offset, MutableByteView into);
  // How many bytes from the first on are what belongs there.
  std::size_t matching_prefix(std::uint64_t offset, ByteView found);
  bool matches(std::uint64_t offset, ByteView found) { return matching_prefix(offset, found) == found.size(); }
  PassContent copy_for_thread() const;

  // The bytes that repeat; nothing for a random step.
  std::optional<Bytes> pattern() const;
  std::string description() const;  // "00", "924924", "random"

 private:
  using Content = std::variant<Bytes, crypto::Aes256CtrStream>;
  explicit PassContent(Content content) : content_(std::move(content)) {}
  std::size_t matching_prefix_of_stream(std::uint64_t offset, ByteView found);
  Content content_;
};

}  // namespace qcbak::wipe
