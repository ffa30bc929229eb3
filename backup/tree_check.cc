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

TreeCheck::State TreeCheck::visit(const ChunkId& reference, std::size_t depth) {
  if (const auto at = states_.find(reference); at != states_.end()) return at->second;
  if (stop_.stop_requested()) throw Error(ErrorCode::interrupted, "asked to stop");
  State state;
  DamageSet damage;
  const auto done = [&] {
    state.damage = intern(damage);
    states_.emplace(reference, state);
    return state;
  };
  if (depth > kDepthLimit) {
    merge(damage, {questions_.nonsense("reference trees nested too deeply")});
    return done();
  }
  auto mirror = load_reference(reference, damage);
  if (!mirror) return done();
  state.tree = leading(mirror->tree);
  merge(damage, questions_.lost(mirror->tree));
  for (const ChunkId& id : mirror->data) merge(damage, questions_.lost(id));

  std::optional<Summary> summary;
  if (trees_ == Trees::files) summary = summarize(mirror->tree, damage);
  std::string differs;
  if (summary) {
    state.weighed = true;
    state.weight = summary->weight;
    state.is_content = summary->is_content;
    sort_unique(summary->data);
    sort_unique(mirror->data);
    if (summary->data != mirror->data) differs = "its data chunks";
    if (summary->children.size() != mirror->children.size()) differs = "its children";
    summary->data = {};
  }
  mirror->data = {};
  for (std::size_t i = 0; i < mirror->children.size(); ++i) {
    const State child = visit(mirror->children[i], depth + 1);
    merge(damage, sets_[child.damage]);
    if (!summary || !differs.empty() || child.tree == 0) continue;
    const Child& named = summary->children[i];
    if (leading(named.tree) != child.tree) differs = "its children";
    else if (child.weighed && (child.is_content != named.is_content || (named.weight && *named.weight != child.weight)))
      differs = "how much is below it";
  }
  if (!differs.empty())
    merge(damage, {questions_.nonsense("tree node " + mirror->tree.hex() + " and what mirrors it do not agree on " +
                                       differs)});
  if (summary && damage.empty() && !summary->is_content && !summary->children.empty() && summary->children[0].weight &&
      !summary->children[0].is_content) {
    try {
      check_names(mirror->tree, repository::parse_node(reader_.load(ChunkType::tree, mirror->tree)));
    } catch (const Error& error) {
      if (!is_damage(error)) throw;
      merge(damage, {questions_.nonsense(error.what())});
    }
  }
  return done();
}

const DamageSet& TreeCheck::check(const ChunkId& reference_root, const std::optional<ChunkId>& directory) {
  const State state = visit(reference_root, 0);
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

void TreeCheck::name_lost(const ChunkId& reference_root, const ChunkId& directory, const VisitLost& visit) {
  name_lost(reference_root, directory, "", 0, visit);
}

// `reference`: the node that mirrors `tree`; nothing below one that was lost itself, where everything is looked at.
void TreeCheck::name_lost(const std::optional<ChunkId>& reference, const ChunkId& tree, const std::string& path,
                          std::size_t depth, const VisitLost& visit) {
  if (stop_.stop_requested()) throw Error(ErrorCode::interrupted, "asked to stop");
  if (depth > kDepthLimit) return;
  if (reference) {
    const auto at = states_.find(*reference);
    if (at != states_.end() && at->second.damage == 0) return;
  }
  DamageSet damage;
  const auto plaintext = load(ChunkType::tree, tree, damage);
  if (!plaintext) {
    visit(path + "/", damage);
    return;
  }
  const auto parsed = parse(tree, *plaintext, damage);
  if (!parsed) {
    visit(path + "/", damage);
    return;
  }
  const Node& node = *parsed;
  std::vector<ChunkId> mirrors;
  if (reference) {
    DamageSet known;
    if (auto mirror = load_reference(*reference, known); mirror && mirror->tree == tree) mirrors = mirror->children;
  }
  std::size_t children = node.branches.size();
  for (const Entry& entry : node.entries) children += entry.directory || entry.content_node;
  if (mirrors.size() != children) mirrors.clear();
  std::size_t child = 0;
  const auto next_mirror = [&]() -> std::optional<ChunkId> {
    const std::size_t at = child++;
    return mirrors.empty() ? std::nullopt : std::optional(mirrors[at]);
  };
  for (const repository::Branch& branch : node.branches)
    name_lost(next_mirror(), branch.child, path, depth + 1, visit);
  for (const Entry& entry : node.entries) {
    const std::string below = path + "/" + entry.name;
    DamageSet lost;
    if (entry.directory) {
      name_lost(next_mirror(), *entry.directory, below, depth + 1, visit);
    } else if (entry.content_node) {
      const auto mirror = next_mirror();
      const auto at = mirror ? states_.find(*mirror) : states_.end();
      if (at == states_.end() || at->second.damage != 0) lost = lost_content(*entry.content_node, 0);
    } else {
      for (const Part& part : entry.parts)
        if (part.chunk) merge(lost, questions_.lost(*part.chunk));
    }
    if (!lost.empty()) visit(below, lost);
  }
}

}  // namespace qcbak
