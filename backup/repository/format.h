// Identifiers, limits and sealing under a map key. docs/format.md "Conventions", "Limits", "Sealing with the map key".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/cbor.h"
#include "base/random.h"
#include "crypto/aead.h"
#include "crypto/hash.h"

namespace qcbak::repository {

using RepositoryId = FixedId<struct RepositoryIdTag, 16>;
using DomainId = FixedId<struct DomainIdTag, 16>;
using CustodianId = FixedId<struct CustodianIdTag, 16>;
using SegmentId = FixedId<struct SegmentIdTag, 16>;
using Salt = FixedId<struct SaltTag, 32>;
using ChunkId = FixedId<struct ChunkIdTag, 32>;
using SnapshotId = FixedId<struct SnapshotIdTag, 32>;
using ObjectName = FixedId<struct ObjectNameTag, 32>;  // H of the stored bytes

using MapKey = crypto::SecretKey<struct MapKeyTag>;
using IdKey = crypto::SecretKey<struct IdKeyTag>;
using DataKey = crypto::SecretKey<struct DataKeyTag>;

enum class ChunkType : std::uint8_t { data = 1, tree = 2, reference = 3 };
inline constexpr std::uint8_t kBodyRecordType = 5;

inline constexpr std::size_t kChunkLimit = 8U << 20;
inline constexpr std::size_t kRecordLimit = kChunkLimit + (64U << 10);
inline constexpr std::size_t kPackLimit = 64U << 20;
inline constexpr std::size_t kRecordsInPackLimit = 1U << 20;
inline constexpr std::uint64_t kIndexLimit = 1U << 30;
inline constexpr std::uint64_t kSnapshotLimit = 256U << 20;
inline constexpr std::uint64_t kLogEntryLimit = 4U << 20;
inline constexpr std::uint64_t kKeyObjectLimit = 64U << 10;
inline constexpr std::uint64_t kConfigLimit = 64U << 10;
inline constexpr int kTreeDepthLimit = 4096;
inline constexpr int kSplitDepthLimit = 16;

// What everything sealed is bound to.
struct Binding {
  crypto::Suite suite = crypto::Suite::aes_256_gcm;
  crypto::Sha256 config_hash;
  DomainId domain;
};

inline ObjectName name_of(ByteView stored) { return ObjectName(crypto::sha256(stored).view()); }
std::string pack_path(const ObjectName& name);
std::string index_path(const ObjectName& name);
std::string snapshot_path(const ObjectName& name);
std::string key_path(const ObjectName& name);
std::string log_path(std::uint64_t number);
// The name at the end of such a path; nothing when the path is not of that form.
std::optional<ObjectName> name_from_path(std::string_view path);

// MAP(purpose, context, plaintext): encoded CBOR.
Bytes seal_with_map_key(const Binding& binding, std::uint32_t epoch, const MapKey& map_key, std::string_view purpose,
                        ByteView context, ByteView plaintext, Random& random);
std::uint32_t sealed_epoch(ByteView sealed);  // the epoch whose map key opens it
// The key of this one message, which opens nothing else.
crypto::AeadKey sealed_message_key(const MapKey& map_key, std::string_view purpose, ByteView sealed);
// Throws Error(damaged) when it was altered or moved.
Bytes open_with_map_key(const Binding& binding, const MapKey& map_key, std::string_view purpose, ByteView context,
                        ByteView sealed);
// The same with the key of the message.
Bytes open_with_message_key(const Binding& binding, const crypto::AeadKey& key, std::string_view purpose,
                            ByteView context, ByteView sealed);

std::uint64_t padme(std::uint64_t length);

}  // namespace qcbak::repository
