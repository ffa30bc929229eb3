#include "backup/repository/chunk_reader.h"

#include <algorithm>

#include "base/error.h"

namespace qcbak::repository {

PackReader::PackReader(const storage::ReadStorage& storage, const ObjectName& name, const Binding& binding,
                       const DomainKeys& domain)
    : storage_(storage), name_(name), table_(read_pack_table(storage, name, binding, domain)) {}

const PackRecord* PackReader::record_at(std::uint32_t offset) const {
  const auto at = std::find_if(table_.records.begin(), table_.records.end(),
                               [offset](const PackRecord& record) { return record.offset == offset; });
  return at == table_.records.end() ? nullptr : &*at;
}

void PackReader::fetch(const PackRecord& record, MutableByteView into) const {
  const auto got = storage_.get_range(pack_path(name_), record.offset, into.first(record.stored_length));
  if (!got) throw Error(ErrorCode::not_found, "pack " + name_.hex() + " is missing");
  if (*got != record.stored_length) throw Error(ErrorCode::damaged, "pack " + name_.hex() + " is cut off");
}

ChunkReader::ChunkReader(const Repository& repository, const DomainKeys& domain)
    : repository_(repository), domain_(domain), binding_(repository.binding(domain.id)), decoder_(binding_, domain) {}

ChunkReader::ChunkReader(const Repository& repository, const DomainKeys& domain, const Index& index)
    : ChunkReader(repository, domain) {
  index_ = &index;
}

const PackReader& ChunkReader::pack(const ObjectName& name) {
  std::unique_ptr<PackReader>& reader = packs_[name];
  if (!reader) {
    if (packs_.size() > kPacksOpen) {
      for (auto at = packs_.begin(); at != packs_.end();) at = at->second ? packs_.erase(at) : std::next(at);
    }
    std::unique_ptr<PackReader>& mine = packs_[name];
    mine = std::make_unique<PackReader>(repository_.storage(), name, binding_, domain_);
    return *mine;
  }
  return *reader;
}

Bytes ChunkReader::load_from(ChunkType type, const ChunkId& id, const ChunkPlace& place) {
  const auto slice = [&](const Decoded& decoded) -> std::optional<Bytes> {
    std::size_t at = 0;
    for (const ChunkRef& chunk : decoded.chunks) {
      if (chunk.id == id) return to_bytes(ByteView(decoded.payload).subspan(at, chunk.length));
      at += chunk.length;
    }
    return std::nullopt;
  };
  for (auto at = decoded_.begin(); at != decoded_.end(); ++at) {
    if (at->offset != place.offset || at->pack != place.pack) continue;
    decoded_.splice(decoded_.begin(), decoded_, at);
    if (auto chunk = slice(*at)) return std::move(*chunk);
    break;
  }
  const PackReader& reader = pack(place.pack);
  const PackRecord* record = reader.record_at(place.offset);
  if (record == nullptr || record->info.type != static_cast<std::uint8_t>(type))
    throw Error(ErrorCode::damaged, "the index names a place that holds no such chunk");
  PageBuffer buffer(record->stored_length);
  const MutableByteView stored = buffer.span().first(record->stored_length);
  reader.fetch(*record, stored);
  const ByteView payload = decoder_.decode(reader.table().segments[record->segment], record->info, stored,
                                           RecordDecoder::Hashes::check);
  decoded_.push_front({place.pack, place.offset, record->info.chunks, to_bytes(payload)});
  decoded_bytes_ += payload.size();
  auto chunk = slice(decoded_.front());
  while (decoded_bytes_ > kDecodedBytes && decoded_.size() > 1) {
    decoded_bytes_ -= decoded_.back().payload.size();
    decoded_.pop_back();
  }
  if (!chunk) throw Error(ErrorCode::damaged, "the index names a place that holds no such chunk");
  return std::move(*chunk);
}

Bytes ChunkReader::load(ChunkType type, const ChunkId& id) {
  std::optional<Error> first_error;
  for (const bool again : {false, true}) {
    bool vanished = true;  // nothing was there at all, damaged or not
    const Index& index = index_ != nullptr ? *index_ : repository_.index(domain_);
    for (const ChunkPlace& place : index.find_all(id, Index::Which::all)) {
      try {
        return load_from(type, id, place);
      } catch (Error& error) {
        if (error.code() != ErrorCode::damaged && error.code() != ErrorCode::not_found) throw;
        vanished = vanished && error.code() == ErrorCode::not_found;
        error.add_context("chunk " + id.hex() + " in pack " + place.pack.hex());
        if (!first_error) first_error = Error(ErrorCode::damaged, error.what());
      }
    }
    if (!vanished || again || index_ != nullptr || fruitless_reloads_ >= kFruitlessReloads) break;
    // A collection may have moved it since the index was read.
    repository_.drop_index(domain_);
    packs_.clear();
    ++fruitless_reloads_;
    const auto moved = repository_.index(domain_).find_all(id, Index::Which::all);
    if (std::any_of(moved.begin(), moved.end(), [this](const ChunkPlace& place) {
          return repository_.storage().size(pack_path(place.pack)).has_value();
        }))
      fruitless_reloads_ = 0;
  }
  if (first_error) throw *first_error;
  throw Error(ErrorCode::damaged, "chunk " + id.hex() + " is in no pack");
}

void walk_references(ChunkReader& reader, const ChunkId& root, std::unordered_set<ChunkId, IdHash<ChunkId>>& seen,
                     const std::function<void(const ChunkId& reference, const ReferenceNode& node)>& visit) {
  std::vector<ChunkId> waiting{root};
  while (!waiting.empty()) {
    const ChunkId at = waiting.back();
    waiting.pop_back();
    if (!seen.insert(at).second) continue;
    const ReferenceNode node = parse_reference(reader.load(ChunkType::reference, at));
    visit(at, node);
    waiting.insert(waiting.end(), node.children.rbegin(), node.children.rend());
  }
}

}  // namespace qcbak::repository
