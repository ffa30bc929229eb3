// Tree nodes, reference nodes, the root: what the repository's own seals protect, and a writer gone bad does not respect.
#include "backup/repository/tree.h"

#include "fuzz/keys_at_hand.h"

namespace qcbak {
namespace {

using namespace repository;

Bytes encode(const Node& node) {
  Bytes out;
  cbor::Writer writer(out);
  writer.array(2).uint(static_cast<std::uint64_t>(node.kind));
  switch (node.kind) {
    case NodeKind::directory_leaf:
      writer.array(node.entries.size());
      for (const Entry& entry : node.entries)
        writer.raw(encode_entry(entry.name, entry.metadata, encode_details(entry)));
      break;
    case NodeKind::directory_branch:
    case NodeKind::content_branch:
      writer.array(node.branches.size());
      for (const Branch& branch : node.branches) {
        if (node.kind == NodeKind::directory_branch)
          writer.array(3).bytes(branch.first_name);
        else
          writer.array(2);
        writer.bytes(branch.child.view()).uint(branch.weight);
      }
      break;
    case NodeKind::content_leaf:
      writer.array(2 * node.parts.size());
      for (const Part& part : node.parts) {
        if (part.chunk)
          writer.bytes(part.chunk->view());
        else
          writer.null();
        writer.uint(part.length);
      }
      break;
  }
  return out;
}

template <class Ids>
Bytes joined(const Ids& ids) {
  Bytes out;
  for (const ChunkId& id : ids) append(out, id.view());
  return out;
}

// A file's parts, where every content node is `node`.
void add_up(const Entry& entry, ByteView node) {
  if (entry.metadata.type != EntryType::file) return;
  fuzz::may_be_refused([&] {
    std::uint64_t sum = 0;
    for (const Part& part : all_parts([&](ChunkType, const ChunkId&) { return to_bytes(node); }, entry)) {
      check(part.length <= entry.metadata.size_bytes - sum, "no part goes beyond the size");
      sum += part.length;
    }
    check(sum == entry.metadata.size_bytes, "the parts of a file are its size");
  });
}

void use(unsigned choice, ByteView input) {
  switch (choice) {
    case 0: {
      const Node node = parse_node(input);
      check(equal(encode(node), input), "one node has one encoding");
      for (const Entry& entry : node.entries) add_up(entry, input);
      // A tree in which every node is this one: it must come to an end.
      const LoadChunk load = [&](ChunkType, const ChunkId&) { return to_bytes(input); };
      DirectoryCursor cursor(load, ChunkId());
      for (std::size_t found = 0;; ++found) {
        check(found <= input.size(), "a node read over and over gives no end of entries");
        bool more = true;
        fuzz::may_be_refused([&] { more = cursor.next().has_value(); });
        if (!more) break;
      }
      break;
    }
    case 1: {
      const ReferenceNode node = parse_reference(input);
      check(equal(encode_reference(node.tree, joined(node.data), joined(node.children)), input),
            "one reference node has one encoding");
      break;
    }
    default: {
      const Entry root = parse_root(input);
      check(equal(encode_root(root.metadata, encode_details(root)), input), "one root has one encoding");
      break;
    }
  }
}

}  // namespace
}  // namespace qcbak

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qcbak;
  ByteView input = std::as_bytes(std::span(data, size));
  const unsigned choice = fuzz::take_choice(input, 3);
  fuzz::may_be_refused([&] { use(choice, input); });
  return 0;
}
