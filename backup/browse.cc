#include "backup/browse.h"

#include <algorithm>
#include <array>

#include "base/error.h"

namespace qcbak {
namespace {

using repository::DirectoryCursor;
using repository::Entry;
using repository::Repository;
using repository::SnapshotId;
using repository::SnapshotInfo;
using repository::SnapshotState;

constexpr std::size_t kIdPrefixLeast = 8;
constexpr std::array<std::byte, std::size_t{256} << 10> kZeros{};

// Takes the first component off `path`; empty at the end.
std::string_view take_component(std::string_view& path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  const std::string_view component = path.substr(0, path.find('/'));
  path.remove_prefix(component.size());
  return component;
}

bool is_at_or_below(std::string_view path, std::string_view directory) {
  while (directory.ends_with('/')) directory.remove_suffix(1);
  return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

const repository::DomainKeys& keys_of(const Repository& repository, const SnapshotInfo& snapshot) {
  const repository::DomainKeys* domain = repository.find_domain(snapshot.state.domain);
  check(domain != nullptr, "a snapshot's header was opened by its domain's key");
  return *domain;
}

SnapshotInfo latest_snapshot(const Repository& repository, const SnapshotFilter& filter) {
  std::optional<SnapshotInfo> latest;
  std::uint64_t damaged_number = 0;
  std::string damage;
  for (const auto& [id, state] : repository.log().snapshots) {
    const repository::DomainKeys* domain = repository.find_domain(state.domain);
    if (state.tombstone_number != 0 || domain == nullptr) continue;
    if (!filter.domain.empty() && filter.domain != domain->name) continue;
    try {
      SnapshotInfo snapshot = repository.snapshot(id);
      if (!matches(filter, snapshot, domain->name)) continue;
      const auto order = [](const SnapshotInfo& a) { return std::pair(a.header.time, a.state.commit_number); };
      if (!latest || order(*latest) < order(snapshot)) latest = std::move(snapshot);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::damaged) throw;
      if (state.commit_number > damaged_number) {
        damaged_number = state.commit_number;
        damage = error.what();
      }
    }
  }
  // Nobody can tell whether the filter means it; taking an older one in its stead must be a choice, not a surprise.
  if (damaged_number > (latest ? latest->state.commit_number : 0))
    throw Error(ErrorCode::damaged, "the latest snapshot cannot be told: " + damage)
        .with_hint("name a snapshot by its id, from: qcbak snapshots");
  if (!latest) throw Error(ErrorCode::not_found, "no snapshot fits").with_hint("see: qcbak snapshots");
  return std::move(*latest);
}

std::string candidates_text(const Repository& repository, const std::vector<const SnapshotId*>& ids) {
  std::string text;
  for (const SnapshotId* id : ids) {
    text += text.empty() ? "" : ", ";
    text += id->hex();
    const SnapshotState& state = repository.log().snapshots.at(*id);
    text += " of " + format_time(state.commit_time);
  }
  return text;
}

}  // namespace

SnapshotTree::SnapshotTree(const Repository& repository, const SnapshotInfo& snapshot)
    : info_(snapshot),
      body_(repository.body(snapshot)),
      root_(repository::parse_root(body_.root)),
      reader_(repository, keys_of(repository, snapshot)),
      load_(reader_.loader()) {}

std::optional<Entry> SnapshotTree::find(std::string_view path) {
  Entry at = root_;
  for (;;) {
    const std::string_view component = take_component(path);
    if (component.empty()) return at;
    if (!at.directory) return std::nullopt;
    std::optional<Entry> below = repository::find_entry(load_, *at.directory, component);
    if (!below) return std::nullopt;
    at = std::move(*below);
  }
}

void SnapshotTree::walk(const std::string& path, const Entry& directory, const Visit& visit, const Damaged& damaged) {
  struct Level {
    std::size_t path_length;
    DirectoryCursor entries;
  };
  std::vector<Level> levels;
  std::string here = path == "/" ? "" : path;
  if (directory.directory) levels.push_back({here.size(), {load_, *directory.directory}});
  const auto report = [&](Error error) {
    const std::string directory_path = here.empty() ? "/" : here;
    if (error.code() != ErrorCode::damaged || !damaged) throw error.add_context(printable(directory_path));
    damaged(directory_path, error);
  };
  while (!levels.empty()) {
    here.resize(levels.back().path_length);
    std::optional<Entry> entry;
    try {
      entry = levels.back().entries.next();
    } catch (const Error& error) {
      report(error);
      continue;
    }
    if (!entry) {
      levels.pop_back();
      continue;
    }
    here += "/" + entry->name;
    if (visit(here, *entry) == Descend::no || !entry->directory) continue;
    if (levels.size() <= std::size_t(repository::kTreeDepthLimit)) levels.push_back({here.size(), {load_, *entry->directory}});
    else report(Error(ErrorCode::damaged, "directories nested too deeply"));
  }
}

void SnapshotTree::read_file(const Entry& file, const std::function<void(ByteView)>& sink) {
  crypto::Sha256Stream hash;
  for (const repository::Part& part : parts(file)) {
    if (part.chunk) {
      const Bytes chunk = load_(repository::ChunkType::data, *part.chunk);
      if (chunk.size() != part.length)
        throw Error(ErrorCode::damaged, "chunk " + part.chunk->hex() + " is not as long as the file says");
      hash.update(chunk);
      sink(chunk);
      continue;
    }
    for (std::uint64_t left = part.length; left > 0;) {
      const ByteView piece = ByteView(kZeros).first(std::min<std::uint64_t>(left, kZeros.size()));
      hash.update(piece);
      sink(piece);
      left -= piece.size();
    }
  }
  if (hash.finish() != file.sha256) throw Error(ErrorCode::damaged, "the content does not give the SHA-256 that was stored");
}

std::string normal_path(std::string_view path) {
  std::string normal;
  for (std::string_view component; !(component = take_component(path)).empty();) {
    if (component == ".") continue;
    if (component == "..") throw Error(ErrorCode::usage, "a path inside a snapshot has no \"..\"");
    normal += "/";
    normal += component;
  }
  return normal.empty() ? "/" : normal;
}

std::vector<std::string> normal_paths(const std::vector<std::string>& paths) {
  std::vector<std::string> sorted;
  for (const std::string& path : paths) sorted.push_back(normal_path(path));
  if (sorted.empty()) sorted.emplace_back("/");
  // A walk gives what is below a directory before the names that only begin like its name: '/' counts as the least.
  std::sort(sorted.begin(), sorted.end(), [](std::string_view a, std::string_view b) {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
      const auto rank = [](char c) { return c == '/' ? 0 : 1 + static_cast<unsigned char>(c); };
      return rank(x) < rank(y);
    });
  });
  std::vector<std::string> kept;
  for (std::string& path : sorted)
    if (kept.empty() || !is_at_or_below(path, kept.back())) kept.push_back(std::move(path));
  return kept;
}

bool matches(const SnapshotFilter& filter, const SnapshotInfo& snapshot, const std::string& domain_name) {
  const repository::SnapshotHeader& header = snapshot.header;
  if (!filter.host.empty() && filter.host != header.host) return false;
  if (!filter.domain.empty() && filter.domain != domain_name) return false;
  for (const auto& label : filter.labels)
    if (std::find(header.labels.begin(), header.labels.end(), label) == header.labels.end()) return false;
  if (filter.path.empty()) return true;
  const std::string path = normal_path(filter.path);
  return std::any_of(header.paths.begin(), header.paths.end(),
                     [&](const Bytes& given) { return is_at_or_below(path, as_text(given)); });
}

SnapshotInfo find_snapshot(const Repository& repository, std::string_view text, const SnapshotFilter& filter) {
  if (text == "latest") return latest_snapshot(repository, filter);
  std::string prefix(text);
  for (char& c : prefix)
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  if (prefix.size() < kIdPrefixLeast || prefix.size() > 2 * SnapshotId::kSize ||
      prefix.find_first_not_of("0123456789abcdef") != std::string::npos)
    throw Error(ErrorCode::usage, "\"" + printable(text) + "\" names no snapshot: \"latest\", or 8 or more digits of an id")
        .with_hint("see: qcbak snapshots");

  std::vector<const SnapshotId*> living;
  const SnapshotState* forgotten = nullptr;
  bool of_closed_domain = false;
  for (const auto& [id, state] : repository.log().snapshots) {
    if (!id.hex().starts_with(prefix)) continue;
    const repository::DomainKeys* domain = repository.find_domain(state.domain);
    if (state.tombstone_number != 0) forgotten = &state;
    else if (domain == nullptr) of_closed_domain = true;
    else if (filter.domain.empty() || filter.domain == domain->name) living.push_back(&id);
  }
  std::vector<const SnapshotId*> fitting;
  std::optional<SnapshotInfo> found;
  for (const SnapshotId* id : living) {
    // A single candidate that is damaged says so itself; among several, it stays a candidate.
    try {
      SnapshotInfo snapshot = repository.snapshot(*id);
      if (!matches(filter, snapshot, keys_of(repository, snapshot).name)) continue;
      found = std::move(snapshot);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::damaged || living.size() == 1) throw;
    }
    fitting.push_back(id);
  }
  if (fitting.size() > 1)
    throw Error(ErrorCode::usage, "\"" + prefix + "\" names several snapshots: " + candidates_text(repository, fitting))
        .with_hint("give more digits of the id");
  if (found) return std::move(*found);
  if (fitting.size() == 1) return repository.snapshot(*fitting.front());  // throws what is wrong with it
  if (!living.empty()) throw Error(ErrorCode::not_found, "snapshot " + living.front()->hex() + " does not fit the filter");
  if (of_closed_domain)
    throw Error(ErrorCode::wrong_key, "this key does not open the domain of snapshot " + prefix);
  if (forgotten != nullptr)
    throw Error(ErrorCode::not_found, "snapshot " + prefix + " was forgotten on " + format_time(forgotten->tombstone_time));
  throw Error(ErrorCode::not_found, "no snapshot " + prefix).with_hint("see: qcbak snapshots");
}

}  // namespace qcbak
