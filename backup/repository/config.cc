#include "backup/repository/config.h"

#include <algorithm>

#include "base/error.h"

namespace qcbak::repository {
namespace {

constexpr std::string_view kMagic = "qcbak";
constexpr std::string_view kCollectFlag = "collect-1";
constexpr std::uint64_t kFlagsLimit = 64;

void write_flags(cbor::Writer& writer, const std::vector<std::string>& flags) {
  writer.array(flags.size());
  for (const std::string& flag : flags) writer.text(flag);
}

std::vector<std::string> read_flags(cbor::Reader& reader) {
  std::vector<std::string> flags;
  const std::uint64_t count = reader.array();
  if (count > kFlagsLimit) throw Error(ErrorCode::damaged, "too many feature flags");
  for (std::uint64_t i = 0; i < count; ++i) {
    flags.emplace_back(reader.text());
    if (i > 0 && flags[i] <= flags[i - 1]) throw Error(ErrorCode::damaged, "feature flags are out of order");
  }
  return flags;
}

}  // namespace

Config new_config(crypto::Suite suite, Time now, Random& random) {
  return {random.id<RepositoryId>(), suite, now, {std::string(kCollectFlag)}, {}};
}

Bytes encode_config(const Config& config) {
  Bytes out;
  cbor::Writer writer(out);
  writer.map(7).uint(1).text(kMagic).uint(2).uint(kFormatVersion).uint(3).bytes(config.id.view());
  writer.uint(4).uint(static_cast<std::uint64_t>(config.suite)).uint(5).integer(config.created.ns).uint(6);
  write_flags(writer, config.mandatory_flags);
  writer.uint(7);
  write_flags(writer, config.optional_flags);
  return out;
}

Config parse_config(ByteView stored) {
  Config config;
  cbor::Reader reader(stored);
  unsigned seen = 0;
  for (cbor::MapReader map(reader); map.next(); ++seen) {
    switch (map.key()) {
      case 1:
        if (reader.text() != kMagic) throw Error(ErrorCode::damaged, "this is not the config of a qcbak repository");
        break;
      case 2:
        if (const std::uint64_t version = reader.uint(); version != kFormatVersion)
          throw Error(ErrorCode::unsupported, "the repository has format version " + std::to_string(version) +
                                                  ", this program knows version 1")
              .with_hint("use a newer qcbak");
        break;
      case 3: config.id = RepositoryId(reader.bytes_of(RepositoryId::kSize)); break;
      case 4: {
        const std::uint64_t number = reader.uint();
        const auto suite = crypto::suite_from_number(number);
        if (!suite)
          throw Error(ErrorCode::unsupported, "the repository uses cipher suite " + std::to_string(number) +
                                                  ", which this program does not know")
              .with_hint("use a newer qcbak");
        config.suite = *suite;
        break;
      }
      case 5: config.created = {reader.integer()}; break;
      case 6:
        config.mandatory_flags = read_flags(reader);
        for (const std::string& flag : config.mandatory_flags)
          if (flag != kCollectFlag)
            throw Error(ErrorCode::unsupported,
                        "the repository needs the feature \"" + printable(flag) + "\", which this program does not know")
                .with_hint("use a newer qcbak");
        break;
      case 7: config.optional_flags = read_flags(reader); break;
      default: map.unknown();
    }
  }
  reader.finish();
  if (seen != 7) throw Error(ErrorCode::damaged, "the config is incomplete");
  return config;
}

}  // namespace qcbak::repository
