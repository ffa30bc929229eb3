// What every document of evidence shares: lines, signatures over text, the keys it is judged by. docs/format.md "Log export".
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "backup/repository/log_check.h"
#include "base/error.h"
#include "evidence/log_json.h"

namespace qcbak::evidence {

inline constexpr std::size_t kLineLimit = 48U << 20;
inline constexpr std::size_t kFirstLineLimit = 4U << 20;  // a header, or a whole checkpoint document

inline constexpr std::string_view kLogExportFormat = "qcbak log export 1";
inline constexpr std::string_view kCheckpointFormat = "qcbak checkpoint 1";

// The public keys of domains' roots that the one who checks trusts.
using Roots = std::set<crypto::SignPublic>;

// Fills a part of the buffer and says how much; 0 is the end.
using ReadMore = std::function<std::size_t(MutableByteView)>;

// The lines of a document, one at a time.
class LineReader {
 public:
  explicit LineReader(ReadMore read) : read_(std::move(read)) {}
  // Without its LF; good until the next call. Error(damaged) when it has more than `limit` bytes, or the document ends without LF.
  std::optional<std::string_view> next(std::size_t limit);

 private:
  ReadMore read_;
  std::string held_;
  std::size_t taken_ = 0;  // bytes of held_ that were given out
  bool ended_ = false;
};

// The kind of document that begins with this line. Error(usage) when it is no evidence that this program can check,
// Error(unsupported) when a later version made it.
enum class DocumentKind { log_export, checkpoint };
DocumentKind document_kind(const Json& first);

// Members of a line. Error(damaged) when one is missing or of another kind.
std::string text_member(const Json& json, std::string_view name);
std::uint64_t number_member(const Json& json, std::string_view name);
Bytes base64_member(const Json& json, std::string_view name, std::size_t limit);
template <class Id>
Id hex_member(const Json& json, std::string_view name) {
  const Bytes bytes = from_hex(text_member(json, name));
  if (bytes.size() != Id::kSize) throw Error(ErrorCode::damaged, "a name in it has another length");
  return Id(bytes);
}

// A document's last member is its signature, over the hash of everything before that member.
struct SignedText {
  std::string_view format;
  crypto::Sha256 config_hash;
  crypto::Sha256 text_hash;
};
crypto::Signature sign_text(const crypto::SignSeed& seed, const SignedText& text);
bool signature_holds(const crypto::SignPublic& signer, const SignedText& text, const crypto::Signature& signature);
// The line of an object up to the place of its signature, and from there.
std::string unsigned_part(const Json& unsigned_json);
std::string signature_part(const crypto::Signature& signature);

}  // namespace qcbak::evidence
