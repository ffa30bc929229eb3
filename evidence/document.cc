#include "evidence/document.h"

#include <array>

namespace qcbak::evidence {
namespace {

constexpr std::size_t kReadSize = 64U << 10;

[[noreturn]] void lacks(std::string_view name) {
  throw Error(ErrorCode::damaged, "it lacks \"" + std::string(name) + "\"");
}

Bytes message(const SignedText& text) {
  Bytes bytes = to_bytes(as_bytes(text.format.substr(0, text.format.rfind(' '))));
  // "qcbak log export 1" signs as "qcbak1 log export".
  bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(std::string_view("qcbak").size()), std::byte{'1'});
  bytes.push_back(std::byte{0});
  append(bytes, text.config_hash.view());
  append(bytes, text.text_hash.view());
  return bytes;
}

bool is_later_version(std::string_view format, std::string_view known) {
  const std::string_view stem = known.substr(0, known.rfind(' ') + 1);
  return format.starts_with(stem) && format != known;
}

}  // namespace

std::optional<std::string_view> LineReader::next(std::size_t limit) {
  held_.erase(0, taken_);
  taken_ = 0;
  std::size_t searched = 0;
  for (;;) {
    const std::size_t end = held_.find('\n', searched);
    if (end != std::string::npos) {
      if (end > limit) break;
      taken_ = end + 1;
      return std::string_view(held_).substr(0, end);
    }
    searched = held_.size();
    if (searched > limit) break;
    if (ended_) {
      if (held_.empty()) return std::nullopt;
      held_.clear();
      throw Error(ErrorCode::damaged, "it ends in the middle of a line");
    }
    std::array<std::byte, kReadSize> more;
    const std::size_t got = read_(more);
    ended_ = got == 0;
    held_ += as_text(ByteView(more).first(got));
  }
  throw Error(ErrorCode::damaged, "a line is too long");
}

DocumentKind document_kind(const Json& first) {
  const auto format = first.find("format");
  if (first.is_object() && format != first.end() && format->is_string()) {
    const std::string& name = format->get_ref<const std::string&>();
    if (name == kLogExportFormat) return DocumentKind::log_export;
    if (name == kCheckpointFormat) return DocumentKind::checkpoint;
    for (const std::string_view known : {kLogExportFormat, kCheckpointFormat})
      if (is_later_version(name, known))
        throw Error(ErrorCode::unsupported, "this evidence was made by a later version of qcbak")
            .with_hint("check it with that version");
  }
  throw Error(ErrorCode::usage, "this is no evidence that qcbak made")
      .with_hint("what can be checked: log exports and checkpoints, as \"qcbak audit export\" writes them");
}

std::string text_member(const Json& json, std::string_view name) {
  const auto at = json.find(name);
  if (at == json.end() || !at->is_string()) lacks(name);
  return at->get<std::string>();
}

std::uint64_t number_member(const Json& json, std::string_view name) {
  const auto at = json.find(name);
  if (at == json.end() || !at->is_number_unsigned()) lacks(name);
  return at->get<std::uint64_t>();
}

Bytes base64_member(const Json& json, std::string_view name, std::size_t limit) {
  Bytes bytes = from_base64(text_member(json, name));
  if (bytes.size() > limit) throw Error(ErrorCode::damaged, "\"" + std::string(name) + "\" is too large");
  return bytes;
}

crypto::Signature sign_text(const crypto::SignSeed& seed, const SignedText& text) {
  return crypto::sign(seed, message(text));
}

bool signature_holds(const crypto::SignPublic& signer, const SignedText& text, const crypto::Signature& signature) {
  return crypto::verify(signer, message(text), signature);
}

std::string unsigned_part(const Json& unsigned_json) {
  std::string text = line_of(unsigned_json);
  text.pop_back();
  return text;
}

std::string signature_part(const crypto::Signature& signature) {
  return ",\"signature\":\"" + to_base64(signature.view()) + "\"}";
}

}  // namespace qcbak::evidence
