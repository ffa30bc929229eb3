#include "backup/tree_check.h"

#include <algorithm>

#include "base/error.h"

namespace qcbak {

using repository::ChunkId;
using repository::ChunkType;
using repository::Entry;
using repository::Node;
using repository::NodeKind;
using repository::Part;
using repository::ReferenceNode;

namespace {

// A directory takes its leaf and the branches over it.
constexpr std::size_t kDepthLimit = std::size_t(repository::kTreeDepthLimit) * 2 + repository::kSplitDepthLimit;

std::uint64_t leading(const ChunkId& id) { return load_le<std::uint64_t>(id.value.data()); }

bool is_damage(const Error& error) {
  return error.code() == ErrorCode::damaged || error.code() == ErrorCode::not_found;
}

void sort_unique(auto& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

[[noreturn]] void nonsense(const std::string& what) { throw Error(ErrorCode::damaged, what); }

}  // namespace

void merge(DamageSet& into, const DamageSet& more) {
  if (more.empty()) return;
  into.insert(into.end(), more.begin(), more.end());
  sort_unique(into);
}

std::uint32_t TreeCheck::intern(const DamageSet& damage) {
  const auto [at, added] = set_places_.try_emplace(damage, static_cast<std::uint32_t>(sets_.size()));
  if (added) sets_.push_back(damage);
  return at->second;
}

// Nothing, and more damage, when the chunk cannot be had.
std::optional<Bytes> TreeCheck::load(ChunkType type, const ChunkId& id, DamageSet& damage) {
  try {
    return reader_.load(type, id);
  } catch (const Error& error) {
    if (!is_damage(error)) throw;
    DamageSet lost = questions_.lost(id);
    if (lost.empty()) lost = {questions_.nonsense(error.what())};
    merge(damage, lost);
    return std::nullopt;
  }
}

std::optional<ReferenceNode> TreeCheck::load_reference(const ChunkId& id, DamageSet& damage) {
  const auto plaintext = load(ChunkType::reference, id, damage);
  if (!plaintext) return std::nullopt;
  try {
    return repository::parse_reference(*plaintext);
  } catch (const Error& error) {
    if (!is_damage(error)) throw;
    merge(damage, {questions_.nonsense("reference node " + id.hex() + ": " + error.what())});
    return std::nullopt;
  }
}

std::optional<Node> TreeCheck::parse(const ChunkId& tree, ByteView plaintext, DamageSet& damage) {
  try {
    return repository::parse_node(plaintext);
  } catch (const Error& error) {
    if (!is_damage(error)) throw;
    merge(damage, {questions_.nonsense("tree node " + tree.hex() + ": " + error.what())});
    return std::nullopt;
  }
}

// A directory's leaves follow each other in order, and each branch names the first entry below it: else an entry that
// is there would not be found.
void TreeCheck::check_names(const ChunkId& tree, const Node& branch) {
  std::string previous;
  for (const repository::Branch& child : branch.branches) {
    const Node below = repository::parse_node(reader_.load(ChunkType::tree, child.child));
    const std::string first(as_text(child.first_name));
    std::string actual, last = first;
    if (below.kind == NodeKind::directory_leaf && !below.entries.empty()) {
      actual = below.entries.front().name;
      last = below.entries.back().name;
    } else if (below.kind == NodeKind::directory_branch && !below.branches.empty()) {
      actual = as_text(below.branches.front().first_name);
      last = as_text(below.branches.back().first_name);
    }
    if (actual != first || (!previous.empty() && first <= previous))
      nonsense("directory node " + tree.hex() + " names its entries wrongly");
    previous = last;
  }
}

// Nothing, and more damage, when the node cannot be had or contradicts itself.
std::optional<TreeCheck::Summary> TreeCheck::summarize(const ChunkId& tree, DamageSet& damage) {
  const auto plaintext = load(ChunkType::tree, tree, damage);
  if (!plaintext) return std::nullopt;
  const auto take = [&](Summary& summary, const std::vector<Part>& parts) {
    std::uint64_t sum = 0;
    for (const Part& part : parts) {
      sum += part.length;
      if (!part.chunk) continue;
      summary.data.push_back(*part.chunk);
      if (const auto length = questions_.length(*part.chunk); length && *length != part.length)
        nonsense("chunk " + part.chunk->hex() + " has " + std::to_string(*length) + " bytes where a file says " +
                 std::to_string(part.length));
    }
    return sum;
  };
  try {
    const Node node = repository::parse_node(*plaintext);
    Summary summary;
    switch (node.kind) {
      case NodeKind::directory_leaf:
        summary.weight = node.entries.size();
        for (const Entry& entry : node.entries) {
          const std::uint64_t inline_bytes = take(summary, entry.parts);
          if (entry.directory) summary.children.push_back({*entry.directory, std::nullopt, false});
          else if (entry.content_node) summary.children.push_back({*entry.content_node, entry.metadata.size_bytes, true});
          else if (inline_bytes != entry.metadata.size_bytes) nonsense("the parts of a file do not make up its size");
        }
        break;
      case NodeKind::content_leaf:
        summary.is_content = true;
        summary.weight = take(summary, node.parts);
        break;
      case NodeKind::directory_branch:
      case NodeKind::content_branch:
        summary.is_content = node.kind == NodeKind::content_branch;
        for (const repository::Branch& branch : node.branches) {
          summary.weight += branch.weight;
          summary.children.push_back({branch.child, branch.weight, summary.is_content});
        }
        break;
    }
    return summary;
  } catch (const Error& error) {
    if (!is_damage(error)) throw;
    merge(damage, {questions_.nonsense("tree node " + tree.hex() + ": " + error.what())});
    return std::nullopt;
  }
}

// A reference node whose children are being looked at.
struct TreeCheck::Visit {
  ChunkId reference;
  ReferenceNode mirror;
  std::optional<Summary> summary;  // of the node it mirrors
  std::string differs;             // what the two do not agree on
  State state;
  DamageSet damage;
  std::size_t next = 0;  // of the mirror's children
};

TreeCheck::State TreeCheck::finish(Visit& visit) {
  visit.state.damage = intern(visit.damage);
  states_.emplace(visit.reference, visit.state);
  return visit.state;
}

// Its state, when that is known or there is nothing to look at below it; otherwise it goes to the end of `path`.
std::optional<TreeCheck::State> TreeCheck::enter(const ChunkId& reference, std::deque<Visit>& path) {
  if (const auto at = states_.find(reference); at != states_.end()) return at->second;
  if (stop_.stop_requested()) throw Error(ErrorCode::interrupted, "asked to stop");
  Visit visit;
  visit.reference = reference;
  if (path.size() > kDepthLimit) {
    merge(visit.damage, {questions_.nonsense("reference trees nested too deeply")});
    return finish(visit);
  }
  auto mirror = load_reference(reference, visit.damage);
  if (!mirror) return finish(visit);
  visit.state.tree = leading(mirror->tree);
  merge(visit.damage, questions_.lost(mirror->tree));
  for (const ChunkId& id : mirror->data) merge(visit.damage, questions_.lost(id));

  if (trees_ == Trees::files) visit.summary = summarize(mirror->tree, visit.damage);
  if (visit.summary) {
    Summary& summary = *visit.summary;
    visit.state.weighed = true;
    visit.state.weight = summary.weight;
    visit.state.is_content = summary.is_content;
    sort_unique(summary.data);
    sort_unique(mirror->data);
    if (summary.data != mirror->data) visit.differs = "its data chunks";
    if (summary.children.size() != mirror->children.size()) visit.differs = "its children";
    summary.data = {};
  }
  mirror->data = {};
  visit.mirror = std::move(*mirror);
  path.push_back(std::move(visit));
  return std::nullopt;
}

// The next child's state is known.
void TreeCheck::add_child(Visit& visit, const State& child) {
  const std::size_t i = visit.next++;
  merge(visit.damage, sets_[child.damage]);
  if (!visit.summary || !visit.differs.empty() || child.tree == 0) return;
  const Child& named = visit.summary->children[i];
  if (leading(named.tree) != child.tree) visit.differs = "its children";
  else if (child.weighed && (child.is_content != named.is_content || (named.weight && *named.weight != child.weight)))
    visit.differs = "how much is below it";
}

// Its children were all looked at.
TreeCheck::State TreeCheck::leave(Visit& visit) {
  const ChunkId& tree = visit.mirror.tree;
  if (!visit.differs.empty())
    merge(visit.damage,
          {questions_.nonsense("tree node " + tree.hex() + " and what mirrors it do not agree on " + visit.differs)});
  const std::optional<Summary>& summary = visit.summary;
  if (summary && visit.damage.empty() && !summary->is_content && !summary->children.empty() &&
      summary->children[0].weight && !summary->children[0].is_content) {
    try {
      check_names(tree, repository::parse_node(reader_.load(ChunkType::tree, tree)));
    } catch (const Error& error) {
      if (!is_damage(error)) throw;
      merge(visit.damage, {questions_.nonsense(error.what())});
    }
  }
  return finish(visit);
}

// Not by recursion: how deep trees go is for whoever writes them to choose.
TreeCheck::State TreeCheck::walk(const ChunkId& root) {
  std::deque<Visit> path;
  std::optional<State> state = enter(root, path);
  while (!path.empty()) {
    Visit& visit = path.back();
    if (visit.next < visit.mirror.children.size()) {
      state = enter(visit.mirror.children[visit.next], path);
    } else {
      state = leave(visit);
      path.pop_back();
    }
    if (state && !path.empty()) add_child(path.back(), *state);
  }
  return *state;
}

const DamageSet& TreeCheck::check(const ChunkId& reference_root, const std::optional<ChunkId>& directory) {
  const State state = walk(reference_root);
  if (!directory || state.tree == 0 || state.tree == leading(*directory)) return sets_[state.damage];
  DamageSet damage = sets_[state.damage];
  merge(damage, {questions_.nonsense("its reference tree is that of another directory")});
  return sets_[intern(damage)];
}

DamageSet TreeCheck::lost_content(const ChunkId& tree, std::size_t depth) {
  DamageSet damage;
  const auto plaintext = load(ChunkType::tree, tree, damage);
  if (!plaintext || depth > repository::kSplitDepthLimit) return damage;
  const auto node = parse(tree, *plaintext, damage);
  if (!node) return damage;
  for (const Part& part : node->parts)
    if (part.chunk) merge(damage, questions_.lost(*part.chunk));
  for (const repository::Branch& branch : node->branches) merge(damage, lost_content(branch.child, depth + 1));
  return damage;
}

// A tree node, not all of which is there.
struct TreeCheck::LostNode {
  std::string path;  // of its directory
  Node node;
  std::vector<ChunkId> mirrors;  // of its children; none where its own was lost: everything below is looked at
  std::size_t next = 0;          // of its branches, then its entries
  std::size_t next_child = 0;

  std::optional<ChunkId> next_mirror() {
    const std::size_t at = next_child++;
    return mirrors.empty() ? std::nullopt : std::optional(mirrors[at]);
  }
};

void TreeCheck::enter_lost(const std::optional<ChunkId>& reference, const ChunkId& tree, const std::string& path,
                           const VisitLost& visit, std::deque<LostNode>& nodes) {
  if (stop_.stop_requested()) throw Error(ErrorCode::interrupted, "asked to stop");
  if (nodes.size() > kDepthLimit) return;
  if (reference) {
    const auto at = states_.find(*reference);
    if (at != states_.end() && at->second.damage == 0) return;
  }
  DamageSet damage;
  const auto plaintext = load(ChunkType::tree, tree, damage);
  auto node = plaintext ? parse(tree, *plaintext, damage) : std::nullopt;
  if (!node) {
    visit(path + "/", damage);
    return;
  }
  LostNode lost{path, std::move(*node), {}};
  if (reference) {
    DamageSet known;
    if (auto mirror = load_reference(*reference, known); mirror && mirror->tree == tree)
      lost.mirrors = std::move(mirror->children);
  }
  std::size_t children = lost.node.branches.size();
  for (const Entry& entry : lost.node.entries) children += entry.directory || entry.content_node;
  if (lost.mirrors.size() != children) lost.mirrors.clear();
  nodes.push_back(std::move(lost));
}

void TreeCheck::name_lost(const ChunkId& reference_root, const ChunkId& directory, const VisitLost& visit) {
  std::deque<LostNode> nodes;
  enter_lost(reference_root, directory, "", visit, nodes);
  while (!nodes.empty()) {
    LostNode& lost = nodes.back();
    const std::vector<repository::Branch>& branches = lost.node.branches;
    const std::size_t at = lost.next++;
    if (at < branches.size()) {
      enter_lost(lost.next_mirror(), branches[at].child, lost.path, visit, nodes);
    } else if (at - branches.size() < lost.node.entries.size()) {
      name_lost_entry(lost, lost.node.entries[at - branches.size()], visit, nodes);
    } else {
      nodes.pop_back();
    }
  }
}

void TreeCheck::name_lost_entry(LostNode& node, const Entry& entry, const VisitLost& visit,
                                std::deque<LostNode>& nodes) {
  const std::string path = node.path + "/" + entry.name;
  if (entry.directory) {
    enter_lost(node.next_mirror(), *entry.directory, path, visit, nodes);
    return;
  }
  DamageSet lost;
  if (entry.content_node) {
    const auto mirror = node.next_mirror();
    const auto at = mirror ? states_.find(*mirror) : states_.end();
    if (at == states_.end() || at->second.damage != 0) lost = lost_content(*entry.content_node, 0);
  } else {
    for (const Part& part : entry.parts)
      if (part.chunk) merge(lost, questions_.lost(*part.chunk));
  }
  if (!lost.empty()) visit(path, lost);
}

}  // namespace qcbak
