#include "wipe/pass_content.h"

#include <algorithm>

#include "base/error.h"

namespace qcbak::wipe {
namespace {

constexpr std::size_t kComparedAtOnce = 32U << 10;  // made and compared within the nearest caches

crypto::SecretBytes derive(const JobSecret& secret, std::string_view label, std::size_t index, std::size_t size_bytes) {
  Bytes info = to_bytes(as_bytes(label));
  append_le(info, static_cast<std::uint32_t>(index + 1));
  return crypto::hkdf_sha256(secret.view(), {}, info, size_bytes);
}

Bytes inverted(Bytes bytes) {
  for (std::byte& byte : bytes) byte = ~byte;
  return bytes;
}

Bytes pattern_of(const Plan& plan, std::size_t index, const JobSecret& secret) {
  const Step& step = plan.steps[index];
  switch (step.kind) {
    case StepKind::fixed: return step.pattern;
    case StepKind::drawn: return to_bytes(derive(secret, "qcbak1 wipe byte", index, 1).view());
    case StepKind::complement: return inverted(pattern_of(plan, writing_step(plan, index - 1), secret));
    default: check(false, "the step has a pattern"); return {};
  }
}

crypto::Aes256CtrStream stream_of(std::size_t index, const JobSecret& secret) {
  const crypto::SecretBytes key = derive(secret, "qcbak1 wipe pass", index, crypto::StreamKey::kSize);
  return crypto::Aes256CtrStream(crypto::StreamKey(key.view()));
}

void fill_pattern(ByteView pattern, std::uint64_t offset, MutableByteView into) {
  const std::size_t first = std::min(into.size(), kPatternTileBytes);
  for (std::size_t i = 0; i < first; ++i) into[i] = pattern[(offset + i) % pattern.size()];
  // The rest repeats what is there: a tile holds every pattern a whole number of times.
  for (std::size_t done = first; done < into.size();) {
    const std::size_t size = std::min(done, into.size() - done);
    std::memcpy(into.data() + done, into.data(), size);
    done += size;
  }
}

std::size_t equal_prefix(ByteView a, ByteView b) {
  if (equal(a, b)) return a.size();
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

std::size_t matching_prefix_of_pattern(ByteView pattern, std::uint64_t offset, ByteView found) {
  const std::size_t head = std::min(found.size(), pattern.size());
  for (std::size_t i = 0; i < head; ++i)
    if (found[i] != pattern[(offset + i) % pattern.size()]) return i;
  // Once the first repetition is right, all is, as long as each byte is the one a repetition before it.
  return head + equal_prefix(found.subspan(head), found.first(found.size() - head));
}

}  // namespace

PassContent::PassContent(const Plan& plan, std::size_t index, const JobSecret& secret)
    : content_(plan.steps.at(index).kind == StepKind::random ? Content(stream_of(index, secret))
                                                             : Content(pattern_of(plan, index, secret))) {}

void PassContent::fill(std::uint64_t offset, MutableByteView into) {
  if (auto* stream = std::get_if<crypto::Aes256CtrStream>(&content_))
    stream->fill(offset, into);
  else
    fill_pattern(std::get<Bytes>(content_), offset, into);
}

std::size_t PassContent::matching_prefix(std::uint64_t offset, ByteView found) {
  if (const Bytes* pattern = std::get_if<Bytes>(&content_)) return matching_prefix_of_pattern(*pattern, offset, found);
  return matching_prefix_of_stream(offset, found);
}

std::size_t PassContent::matching_prefix_of_stream(std::uint64_t offset, ByteView found) {
  alignas(64) std::array<std::byte, kComparedAtOnce> expected;
  for (std::size_t at = 0; at < found.size(); at += kComparedAtOnce) {
    const ByteView piece = found.subspan(at, std::min(kComparedAtOnce, found.size() - at));
    fill(offset + at, MutableByteView(expected).first(piece.size()));
    const std::size_t same = equal_prefix(piece, ByteView(expected).first(piece.size()));
    if (same != piece.size()) return at + same;
  }
  return found.size();
}

PassContent PassContent::copy_for_thread() const {
  if (const Bytes* pattern = std::get_if<Bytes>(&content_)) return PassContent(Content(*pattern));
  return PassContent(Content(std::get<crypto::Aes256CtrStream>(content_).copy_for_thread()));
}

std::optional<Bytes> PassContent::pattern() const {
  const Bytes* pattern = std::get_if<Bytes>(&content_);
  return pattern ? std::optional(*pattern) : std::nullopt;
}

std::string PassContent::description() const {
  const std::optional<Bytes> bytes = pattern();
  return bytes ? to_hex(*bytes) : "random";
}

}  // namespace qcbak::wipe
