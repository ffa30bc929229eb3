// Walking what snapshots refer to: reference trees with the map key and, with the reading key, the file trees that they
// mirror. Each node is looked at once, however many snapshots share it.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "backup/repository/chunk_reader.h"

namespace qcbak {

using DamageNumber = std::uint32_t;           // the caller's number of a finding
using DamageSet = std::vector<DamageNumber>;  // ascending, each once

void merge(DamageSet& into, const DamageSet& more);

class TreeCheck {
 public:
  struct Questions {
    // Empty when the chunk is there and good; else what was lost with it.
    std::function<DamageSet(const repository::ChunkId&)> lost;
    // A number for what is wrong with nodes whose chunks are there and good.
    std::function<DamageNumber(const std::string& what)> nonsense;
    // The length of a chunk that is there.
    std::function<std::optional<std::uint32_t>(const repository::ChunkId&)> length;
  };
  enum class Trees { references, files };  // files: also the nodes that are mirrored, and what they say of each other

  TreeCheck(repository::ChunkReader& reader, Questions questions, Trees trees, std::stop_token stop)
      : reader_(reader), questions_(std::move(questions)), trees_(trees), stop_(std::move(stop)) {}

  // All damage below a snapshot's reference root. `directory`: the one its body names, where that could be read.
  const DamageSet& check(const repository::ChunkId& reference_root,
                         const std::optional<repository::ChunkId>& directory);

  // Calls `visit` for each file and each directory that is lost, in part or whole. Reads only what check() found damage
  // in. Needs the reading key, and check() of the same snapshot before.
  using VisitLost = std::function<void(const std::string& path, const DamageSet& damage)>;
  void name_lost(const repository::ChunkId& reference_root, const repository::ChunkId& directory,
                 const VisitLost& visit);

 private:
  using ChunkId = repository::ChunkId;
  struct State {
    std::uint64_t tree = 0;    // the first bytes of the id of the node it mirrors
    std::uint64_t weight = 0;  // entries of a directory, bytes of a content: what a branch above must say
    std::uint32_t damage = 0;  // place in sets_
    bool weighed = false;      // weight and kind are known
    bool is_content = false;
  };
  struct Child {
    ChunkId tree;
    std::optional<std::uint64_t> weight;  // not known of a directory that an entry names
    bool is_content = false;
  };
  // What a tree node says of itself and what is below, without its entries.
  struct Summary {
    std::vector<ChunkId> data;
    std::vector<Child> children;
    std::uint64_t weight = 0;
    bool is_content = false;
  };

  struct Visit;
  struct LostNode;
  State walk(const ChunkId& root);
  std::optional<State> enter(const ChunkId& reference, std::deque<Visit>& path);
  void add_child(Visit& visit, const State& child);
  State leave(Visit& visit);
  State finish(Visit& visit);
  std::optional<Bytes> load(repository::ChunkType type, const ChunkId& id, DamageSet& damage);
  std::optional<repository::ReferenceNode> load_reference(const ChunkId& id, DamageSet& damage);
  std::optional<repository::Node> parse(const ChunkId& tree, ByteView plaintext, DamageSet& damage);
  std::optional<Summary> summarize(const ChunkId& tree, DamageSet& damage);
  void check_names(const ChunkId& tree, const repository::Node& branch);
  void enter_lost(const std::optional<ChunkId>& reference, const ChunkId& tree, const std::string& path,
                  const VisitLost& visit, std::deque<LostNode>& nodes);
  void name_lost_entry(LostNode& node, const repository::Entry& entry, const VisitLost& visit,
                       std::deque<LostNode>& nodes);
  DamageSet lost_content(const ChunkId& tree, std::size_t depth);
  std::uint32_t intern(const DamageSet& damage);

  repository::ChunkReader& reader_;
  Questions questions_;
  Trees trees_;
  std::stop_token stop_;
  std::unordered_map<ChunkId, State, IdHash<ChunkId>> states_;  // by reference node
  std::vector<DamageSet> sets_{{}};
  std::map<DamageSet, std::uint32_t> set_places_{{{}, 0}};
};

}  // namespace qcbak
