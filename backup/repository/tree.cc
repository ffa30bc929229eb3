#include "backup/repository/tree.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace qcbak::repository {
namespace {

[[noreturn]] void malformed(const char* why) {
  throw Error(ErrorCode::damaged, std::string("malformed tree node: ") + why);
}

std::uint64_t fnv1a(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

void write_parts(cbor::Writer& writer, std::span<const Part> parts) {
  writer.array(2 * parts.size());
  for (const Part& part : parts) {
    if (part.chunk) writer.bytes(part.chunk->view());
    else writer.null();
    writer.uint(part.length);
  }
}

std::vector<Part> read_parts(cbor::Reader& reader, std::size_t limit) {
  const std::uint64_t count = reader.array();
  if (count == 0 || count % 2 != 0 || count / 2 > limit) malformed("an impossible number of parts");
  std::vector<Part> parts(count / 2);
  for (Part& part : parts) {
    if (reader.next() == cbor::Kind::null) reader.null();
    else part.chunk = ChunkId(reader.bytes_of(ChunkId::kSize));
    part.length = reader.uint();
    if (part.length == 0 || (part.chunk && part.length > kChunkLimit)) malformed("a part of an impossible length");
  }
  return parts;
}

void check_name(std::string_view name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string_view::npos ||
      name.find('\0') != std::string_view::npos)
    malformed("a name that is none");
}

// Groups children under branches until one is left.
template <class Child, class MakeNode>
std::vector<Child> group(std::vector<Child> children, const MakeNode& make) {
  while (children.size() > 1) {
    std::vector<Child> parents;
    for (std::size_t at = 0; at < children.size(); at += kBranchChildren)
      parents.push_back(make(std::span(children).subspan(at, std::min(kBranchChildren, children.size() - at))));
    children = std::move(parents);
  }
  return children;
}

template <class Ids>
Bytes joined(const Ids& children) {
  Bytes ids;
  for (const auto& child : children) append(ids, child.reference.view());
  return ids;
}

std::vector<ChunkId> split_ids(ByteView ids) {
  if (ids.size() % ChunkId::kSize != 0) malformed("ids that are cut off");
  std::vector<ChunkId> out;
  out.reserve(ids.size() / ChunkId::kSize);
  for (; !ids.empty(); ids = ids.subspan(ChunkId::kSize)) out.emplace_back(ids.first(ChunkId::kSize));
  return out;
}

}  // namespace

Bytes encode_details(const Entry& entry) {
  const Metadata& metadata = entry.metadata;
  const std::uint64_t keys = !entry.parts.empty() + entry.content_node.has_value() + entry.sha256.has_value() +
                             entry.directory.has_value() + (metadata.type == EntryType::symlink) +
                             (metadata.device != 0) + (metadata.flags != 0) + !metadata.attributes.empty();
  Bytes out;
  cbor::Writer writer(out);
  writer.map(keys);
  if (!entry.parts.empty()) {
    writer.uint(1);
    write_parts(writer, entry.parts);
  }
  if (entry.content_node) writer.uint(2).bytes(entry.content_node->view());
  if (entry.sha256) writer.uint(3).bytes(entry.sha256->view());
  if (entry.directory) writer.uint(4).bytes(entry.directory->view());
  if (metadata.type == EntryType::symlink) writer.uint(5).bytes(metadata.link_target);
  if (metadata.device != 0) writer.uint(6).uint(metadata.device);
  if (metadata.flags != 0) writer.uint(7).uint(metadata.flags);
  if (!metadata.attributes.empty()) {
    writer.uint(8).array(metadata.attributes.size());
    for (const ExtendedAttribute& attribute : metadata.attributes)
      writer.array(2).bytes(attribute.name).bytes(attribute.value);
  }
  return out;
}

namespace {

void write_status_and_details(cbor::Writer& writer, const Metadata& metadata, ByteView details) {
  writer.array(8).uint(static_cast<std::uint64_t>(metadata.type)).uint(metadata.mode);
  writer.uint(metadata.uid).uint(metadata.gid).integer(metadata.mtime_s).uint(metadata.mtime_ns);
  writer.uint(metadata.size_bytes);
  if (metadata.link_count > 1 && metadata.type != EntryType::directory)
    writer.array(3).uint(metadata.link_count).uint(metadata.link_device).uint(metadata.link_inode);
  else
    writer.null();
  writer.raw(details);
}

std::vector<ExtendedAttribute> read_attributes(cbor::Reader& reader) {
  std::vector<ExtendedAttribute> attributes;
  const std::uint64_t count = reader.array();
  if (count == 0) malformed("attributes that are none");
  for (std::uint64_t i = 0; i < count; ++i) {
    reader.array_of(2);
    const ByteView name = reader.bytes();
    if (i > 0 && as_text(name) <= as_text(attributes.back().name)) malformed("attributes out of order");
    attributes.push_back({to_bytes(name), to_bytes(reader.bytes())});
  }
  return attributes;
}

Entry read_status_and_details(cbor::Reader& reader) {
  Entry entry;
  Metadata& metadata = entry.metadata;
  reader.array_of(8);
  const std::uint64_t type = reader.uint();
  if (type < 1 || type > 7) malformed("an entry of an unknown type");
  metadata.type = static_cast<EntryType>(type);
  metadata.mode = static_cast<std::uint32_t>(reader.uint_at_most(07777));
  metadata.uid = static_cast<std::uint32_t>(reader.uint_at_most(UINT32_MAX));
  metadata.gid = static_cast<std::uint32_t>(reader.uint_at_most(UINT32_MAX));
  metadata.mtime_s = reader.integer();
  metadata.mtime_ns = static_cast<std::uint32_t>(reader.uint_at_most(999'999'999));
  metadata.size_bytes = reader.uint_at_most(INT64_MAX);
  if (reader.next() == cbor::Kind::null) {
    reader.null();
  } else {
    reader.array_of(3);
    metadata.link_count = reader.uint();
    metadata.link_device = reader.uint();
    metadata.link_inode = reader.uint();
    if (metadata.link_count < 2 || metadata.type == EntryType::directory) malformed("a link that is none");
  }
  const bool is_device = metadata.type == EntryType::char_device || metadata.type == EntryType::block_device;
  for (cbor::MapReader map(reader); map.next();) {
    switch (map.key()) {
      case 1: entry.parts = read_parts(reader, kInlineParts); break;
      case 2: entry.content_node = ChunkId(reader.bytes_of(ChunkId::kSize)); break;
      case 3: entry.sha256 = crypto::Sha256(reader.bytes_of(crypto::Sha256::kSize)); break;
      case 4: entry.directory = ChunkId(reader.bytes_of(ChunkId::kSize)); break;
      case 5:
        metadata.link_target = to_bytes(reader.bytes());
        if (metadata.link_target.empty()) malformed("a link to nothing");
        break;
      case 6:
        metadata.device = reader.uint();
        if (metadata.device == 0 || !is_device) malformed("a device number that is none");
        break;
      case 7:
        metadata.flags = static_cast<std::uint32_t>(reader.uint_at_most(UINT32_MAX));
        if (metadata.flags == 0) malformed("flags that are none");
        break;
      case 8: metadata.attributes = read_attributes(reader); break;
      default: map.unknown();
    }
  }
  const bool is_file = metadata.type == EntryType::file;
  const bool has_content = !entry.parts.empty() || entry.content_node;
  if (is_file != entry.sha256.has_value() || (entry.parts.empty() == false && entry.content_node) ||
      (is_file ? has_content != (metadata.size_bytes > 0) : has_content || metadata.size_bytes != 0) ||
      (metadata.type == EntryType::directory) != entry.directory.has_value() ||
      (metadata.type == EntryType::symlink) != !metadata.link_target.empty())
    malformed("an entry whose details do not belong to its type");
  return entry;
}

}  // namespace

Bytes encode_entry(const std::string& name, const Metadata& metadata, ByteView details) {
  Bytes out;
  out.reserve(name.size() + details.size() + 64);
  cbor::Writer writer(out);
  writer.array(3).bytes(as_bytes(name));
  write_status_and_details(writer, metadata, details);
  return out;
}

Entry parse_entry(cbor::Reader& reader) {
  reader.array_of(3);
  std::string name = to_string(reader.bytes());
  check_name(name);
  Entry entry = read_status_and_details(reader);
  entry.name = std::move(name);
  return entry;
}

Bytes encode_root(const Metadata& metadata, ByteView details) {
  Bytes out;
  cbor::Writer writer(out);
  writer.array(2);
  write_status_and_details(writer, metadata, details);
  return out;
}

Entry parse_root(ByteView encoded) {
  cbor::Reader reader(encoded);
  reader.array_of(2);
  Entry entry = read_status_and_details(reader);
  reader.finish();
  if (entry.metadata.type != EntryType::directory) malformed("a root that is no directory");
  return entry;
}

Node parse_node(ByteView plaintext) {
  Node node;
  cbor::Reader reader(plaintext);
  reader.array_of(2);
  const std::uint64_t kind = reader.uint();
  if (kind > 3) malformed("an unknown kind");
  node.kind = static_cast<NodeKind>(kind);
  if (node.kind == NodeKind::content_leaf) {
    node.parts = read_parts(reader, kContentLeafParts);
  } else {
    const std::uint64_t count = reader.array();
    if (count == 0 && node.kind != NodeKind::directory_leaf) malformed("a branch without children");
    for (std::uint64_t i = 0; i < count; ++i) {
      if (node.kind == NodeKind::directory_leaf) {
        node.entries.push_back(parse_entry(reader));
        if (i > 0 && node.entries[i].name <= node.entries[i - 1].name) malformed("names out of order");
        continue;
      }
      Branch branch;
      reader.array_of(node.kind == NodeKind::directory_branch ? 3 : 2);
      if (node.kind == NodeKind::directory_branch) branch.first_name = to_bytes(reader.bytes());
      branch.child = ChunkId(reader.bytes_of(ChunkId::kSize));
      branch.weight = reader.uint();
      if (branch.weight == 0) malformed("a branch with nothing below");
      if (node.kind == NodeKind::directory_branch && i > 0 && branch.first_name <= node.branches.back().first_name)
        malformed("names out of order");
      node.branches.push_back(std::move(branch));
    }
  }
  reader.finish();
  return node;
}

Bytes encode_reference(const ChunkId& tree, ByteView data_ids, ByteView child_ids) {
  Bytes out;
  out.reserve(64 + data_ids.size() + child_ids.size());
  cbor::Writer(out).map(3).uint(1).bytes(tree.view()).uint(2).bytes(data_ids).uint(3).bytes(child_ids);
  return out;
}

ReferenceNode parse_reference(ByteView plaintext) {
  ReferenceNode node;
  cbor::Reader reader(plaintext);
  unsigned seen = 0;
  for (cbor::MapReader map(reader); map.next(); ++seen) {
    switch (map.key()) {
      case 1: node.tree = ChunkId(reader.bytes_of(ChunkId::kSize)); break;
      case 2: node.data = split_ids(reader.bytes()); break;
      case 3: node.children = split_ids(reader.bytes()); break;
      default: map.unknown();
    }
  }
  reader.finish();
  if (seen != 3) malformed("an incomplete reference node");
  return node;
}

void DirectoryWriter::add(const std::string& name, const Metadata& metadata, ByteView details, ByteView data_ids,
                          const std::optional<ChunkId>& child_reference) {
  if (count_ == 0) first_name_ = to_bytes(as_bytes(name));
  append(entries_, encode_entry(name, metadata, details));
  append(data_ids_, data_ids);
  if (child_reference) append(child_ids_, child_reference->view());
  ++count_;
  if (entries_.size() >= kLeafMost || (entries_.size() >= kLeafLeast && fnv1a(name) % kLeafDivisor == 0)) cut_leaf();
}

void DirectoryWriter::cut_leaf() {
  Bytes node;
  node.reserve(entries_.size() + 16);
  cbor::Writer(node).array(2).uint(0).array(count_).raw(entries_);
  const ChunkId tree = store_(ChunkType::tree, std::move(node));
  const ChunkId reference = store_(ChunkType::reference, encode_reference(tree, data_ids_, child_ids_));
  leaves_.push_back({{std::move(first_name_), tree, count_}, reference});
  entries_.clear();
  data_ids_.clear();
  child_ids_.clear();
  first_name_.clear();
  count_ = 0;
}

NodeIds DirectoryWriter::finish() {
  if (count_ > 0 || leaves_.empty()) cut_leaf();
  const Child top = group(std::move(leaves_), [this](std::span<const Child> children) {
    Bytes node;
    cbor::Writer writer(node);
    writer.array(2).uint(1).array(children.size());
    std::uint64_t weight = 0;
    for (const Child& child : children) {
      writer.array(3).bytes(child.branch.first_name).bytes(child.branch.child.view()).uint(child.branch.weight);
      weight += child.branch.weight;
    }
    const ChunkId tree = store_(ChunkType::tree, std::move(node));
    return Child{{children.front().branch.first_name, tree, weight},
                 store_(ChunkType::reference, encode_reference(tree, {}, joined(children)))};
  }).front();
  leaves_.clear();
  return {top.branch.child, top.reference};
}

NodeIds write_content(const StoreChunk& store, const std::vector<Part>& parts) {
  struct Child {
    ChunkId tree;
    ChunkId reference;
    std::uint64_t weight;
  };
  std::vector<Child> leaves;
  for (std::size_t at = 0; at < parts.size(); at += kContentLeafParts) {
    const auto some = std::span(parts).subspan(at, std::min(kContentLeafParts, parts.size() - at));
    Bytes node, data_ids;
    cbor::Writer writer(node);
    writer.array(2).uint(2);
    write_parts(writer, some);
    std::uint64_t weight = 0;
    for (const Part& part : some) {
      if (part.chunk) append(data_ids, part.chunk->view());
      weight += part.length;
    }
    const ChunkId tree = store(ChunkType::tree, std::move(node));
    leaves.push_back({tree, store(ChunkType::reference, encode_reference(tree, data_ids, {})), weight});
  }
  const Child top = group(std::move(leaves), [&store](std::span<const Child> children) {
    Bytes node;
    cbor::Writer writer(node);
    writer.array(2).uint(3).array(children.size());
    std::uint64_t weight = 0;
    for (const Child& child : children) {
      writer.array(2).bytes(child.tree.view()).uint(child.weight);
      weight += child.weight;
    }
    const ChunkId tree = store(ChunkType::tree, std::move(node));
    return Child{tree, store(ChunkType::reference, encode_reference(tree, {}, joined(children))), weight};
  }).front();
  return {top.tree, top.reference};
}

namespace {

// Every node must hold as many bytes as what names it says. Else one small node, named over and over, would make parts
// without end.
void walk_content(const LoadChunk& load, const ChunkId& id, std::uint64_t bytes, int depth, std::vector<Part>& parts) {
  if (depth > kSplitDepthLimit) malformed("branches nested too deeply");
  const Node node = parse_node(load(ChunkType::tree, id));
  if (node.kind != NodeKind::content_leaf && node.kind != NodeKind::content_branch)
    malformed("a directory where content should be");
  std::uint64_t left = bytes;
  const auto take = [&left](std::uint64_t some) {
    if (some > left) malformed("more content than there should be");
    left -= some;
  };
  for (const Part& part : node.parts) take(part.length);
  for (const Branch& branch : node.branches) take(branch.weight);
  if (left != 0) malformed("less content than there should be");
  if (parts.size() + node.parts.size() > kFilePartsLimit) malformed("a file of too many parts");
  parts.insert(parts.end(), node.parts.begin(), node.parts.end());
  for (const Branch& branch : node.branches) walk_content(load, branch.child, branch.weight, depth + 1, parts);
}

}  // namespace

// `first_name`: of what lies below, as the branch says that names the node; nothing for a directory's own node.
void DirectoryCursor::open(const ChunkId& id, const Bytes* first_name) {
  if (levels_.size() > kSplitDepthLimit) malformed("branches nested too deeply");
  Node node = parse_node((*load_)(ChunkType::tree, id));
  if (node.kind != NodeKind::directory_leaf && node.kind != NodeKind::directory_branch)
    malformed("content where a directory should be");
  if (first_name != nullptr) {
    const bool is_leaf = node.kind == NodeKind::directory_leaf;
    if (is_leaf && node.entries.empty()) malformed("an empty leaf below a branch");
    const std::string_view first = is_leaf ? node.entries[0].name : as_text(node.branches[0].first_name);
    if (first != as_text(*first_name)) malformed("a branch that names something else than what is below it");
  }
  levels_.push_back({std::move(node), 0});
}

std::optional<Entry> DirectoryCursor::next() {
  for (;;) {
    if (unopened_) open(*std::exchange(unopened_, std::nullopt), nullptr);
    if (levels_.empty()) return std::nullopt;
    auto& [node, at] = levels_.back();
    if (at < node.branches.size()) {
      const Branch branch = std::move(node.branches[at++]);
      // Also when nothing below could be read: no name is gone to twice, so few nodes cannot make endless work. The first
      // name of a branch below the first is the same once more.
      const std::string_view first = as_text(branch.first_name);
      if (at > 1) {
        if (first <= std::max(previous_, reached_)) malformed("names out of order");
        reached_ = first;
      }
      open(branch.child, &branch.first_name);
    } else if (at < node.entries.size()) {
      Entry entry = std::move(node.entries[at++]);
      if (!previous_.empty() && entry.name <= previous_) {
        levels_.pop_back();
        malformed("names out of order");
      }
      previous_ = entry.name;
      return entry;
    } else {
      levels_.pop_back();
    }
  }
}

void for_each_entry(const LoadChunk& load, const ChunkId& directory, const std::function<void(Entry&&)>& visit) {
  DirectoryCursor cursor(load, directory);
  while (std::optional<Entry> entry = cursor.next()) visit(std::move(*entry));
}

std::optional<Entry> find_entry(const LoadChunk& load, const ChunkId& directory, std::string_view name) {
  ChunkId at = directory;
  for (int depth = 0; depth <= kSplitDepthLimit; ++depth) {
    Node node = parse_node(load(ChunkType::tree, at));
    if (node.kind == NodeKind::directory_leaf) {
      for (Entry& entry : node.entries)
        if (entry.name == name) return std::move(entry);
      return std::nullopt;
    }
    if (node.kind != NodeKind::directory_branch) malformed("content where a directory should be");
    const Branch* next = nullptr;
    for (const Branch& branch : node.branches)
      if (as_text(branch.first_name) <= name) next = &branch;
    if (next == nullptr) return std::nullopt;
    at = next->child;
  }
  malformed("branches nested too deeply");
}

std::vector<Part> all_parts(const LoadChunk& load, const Entry& file) {
  std::vector<Part> parts = file.parts;
  if (file.content_node) walk_content(load, *file.content_node, file.metadata.size_bytes, 0, parts);
  std::uint64_t left = file.metadata.size_bytes;
  for (const Part& part : parts) {
    if (part.length > left) malformed("the parts of a file do not make up its size");
    left -= part.length;
  }
  if (left != 0) malformed("the parts of a file do not make up its size");
  return parts;
}

}  // namespace qcbak::repository
