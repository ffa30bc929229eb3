// Tree nodes, reference nodes, entries. docs/format.md "Trees", "Reference trees".
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backup/repository/metadata.h"
#include "backup/repository/segment.h"

namespace qcbak::repository {

// A stretch of a file: a data chunk, or a hole.
struct Part {
  std::optional<ChunkId> chunk;
  std::uint64_t length = 0;
  friend bool operator==(const Part&, const Part&) = default;
};

inline constexpr std::size_t kInlineParts = 32;
inline constexpr std::size_t kFilePartsLimit = 1U << 26;
inline constexpr std::size_t kContentLeafParts = 1024;
inline constexpr std::size_t kBranchChildren = 1024;
inline constexpr std::size_t kLeafLeast = 8U << 10;
inline constexpr std::size_t kLeafMost = 64U << 10;
inline constexpr std::uint64_t kLeafDivisor = 64;

struct Entry {
  std::string name;
  Metadata metadata;
  std::vector<Part> parts;              // files of up to kInlineParts parts
  std::optional<ChunkId> content_node;  // files of more
  std::optional<crypto::Sha256> sha256; // files
  std::optional<ChunkId> directory;     // directories
};

// The three encoded items of an entry. `details` can be kept and stored again while the file is unchanged.
Bytes encode_details(const Entry& entry);
Bytes encode_entry(const std::string& name, const Metadata& metadata, ByteView details);
Entry parse_entry(cbor::Reader& reader);  // Error(damaged), also for names that are none
// The entry of "/" in a snapshot's body, which has no name.
Bytes encode_root(const Metadata& metadata, ByteView details);
Entry parse_root(ByteView encoded);

struct Branch {
  Bytes first_name;  // directory branches
  ChunkId child;
  std::uint64_t weight = 0;  // entries or bytes below
};
enum class NodeKind : std::uint8_t { directory_leaf = 0, directory_branch = 1, content_leaf = 2, content_branch = 3 };
struct Node {
  NodeKind kind = NodeKind::directory_leaf;
  std::vector<Entry> entries;
  std::vector<Branch> branches;
  std::vector<Part> parts;
};
Node parse_node(ByteView plaintext);  // Error(damaged)

struct ReferenceNode {
  ChunkId tree;
  std::vector<ChunkId> data;
  std::vector<ChunkId> children;
};
Bytes encode_reference(const ChunkId& tree, ByteView data_ids, ByteView child_ids);
ReferenceNode parse_reference(ByteView plaintext);  // Error(damaged)

// A stored tree node and its reference node.
struct NodeIds {
  ChunkId tree;
  ChunkId reference;
};
// Stores the chunk of a tree node and of its reference node.
using StoreChunk = std::function<ChunkId(ChunkType, Bytes plaintext)>;

// Turns a directory's entries, given in ascending order of names, into nodes, keeping only the leaf in work in memory.
class DirectoryWriter {
 public:
  explicit DirectoryWriter(const StoreChunk& store) : store_(store) {}
  // `data_ids`: the chunk ids in the entry's inline parts, joined; `children`: the reference node of its directory or
  // content node.
  void add(const std::string& name, const Metadata& metadata, ByteView details, ByteView data_ids,
           const std::optional<ChunkId>& child_reference);
  NodeIds finish();

 private:
  void cut_leaf();
  const StoreChunk& store_;
  Bytes entries_;
  std::uint64_t count_ = 0;
  Bytes first_name_;
  Bytes data_ids_;
  Bytes child_ids_;
  struct Child {
    Branch branch;
    ChunkId reference;
  };
  std::vector<Child> leaves_;
};

// Content nodes over more than kInlineParts parts.
NodeIds write_content(const StoreChunk& store, const std::vector<Part>& parts);

// Fetches the plaintext of a chunk.
using LoadChunk = std::function<Bytes(ChunkType, const ChunkId&)>;
// The entries below a directory node one by one, in order, through branches but not into directories. Holds one leaf and
// the branches above it in memory.
class DirectoryCursor {
 public:
  // `load` outlives it.
  DirectoryCursor(const LoadChunk& load, const ChunkId& directory) : load_(&load), unopened_(directory) {}
  DirectoryCursor(LoadChunk&& load, const ChunkId& directory) = delete;
  // Nothing at the end. Error(damaged): the node of some entries could not be read; the call after it goes on behind them.
  std::optional<Entry> next();

 private:
  void open(const ChunkId& id, const Bytes* first_name);
  struct Level {
    Node node;
    std::size_t at = 0;
  };
  const LoadChunk* load_;
  std::optional<ChunkId> unopened_;
  std::vector<Level> levels_;
  std::string previous_;  // the last entry
  std::string reached_;   // the first name of the last branch gone into
};

// Calls `visit` for each entry below a directory node, in order, descending through branches but not into directories.
void for_each_entry(const LoadChunk& load, const ChunkId& directory, const std::function<void(Entry&&)>& visit);
// One entry by name.
std::optional<Entry> find_entry(const LoadChunk& load, const ChunkId& directory, std::string_view name);
// All parts of a file, inline or in content nodes. Error(damaged) unless they make up its size.
std::vector<Part> all_parts(const LoadChunk& load, const Entry& file);

}  // namespace qcbak::repository
