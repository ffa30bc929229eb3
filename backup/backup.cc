#include "backup/backup.h"

#include <grp.h>
#include <pwd.h>
#include <sys/resource.h>

#include <algorithm>
#include <thread>

#include "backup/content_storer.h"
#include "backup/file_source.h"
#include "backup/tree_builder.h"
#include "base/error.h"

namespace qcbak {
namespace {

// Where the first failure of any thread is kept, and how the others learn of it.
class Failure {
 public:
  explicit Failure(std::function<void()> stop_all) : stop_all_(std::move(stop_all)) {}
  template <class Body>
  void guard(Body&& body) {
    try {
      body();
    } catch (...) {
      {
        const std::lock_guard lock(mutex_);
        if (!first_) first_ = std::current_exception();
      }
      stop_all_();
    }
  }
  void rethrow() const {
    if (first_) std::rethrow_exception(first_);
  }

 private:
  std::function<void()> stop_all_;
  std::mutex mutex_;
  std::exception_ptr first_;
};

void hash_span(pipeline::Span& span, const std::stop_token& stop) {
  if (span.slab) {
    span.job->hash->update(ByteView(span.slab->data() + span.offset, span.length));
  } else {
    hash_hole(*span.job->hash, span.length, stop);
    if (stop.stop_requested()) return;
  }
  if (span.last) {
    span.job->sha256 = span.job->hash->finish();
    span.job->hash.reset();
  }
  span.job.finish();
}

std::vector<std::pair<std::uint32_t, Bytes>> user_names(const std::set<std::uint32_t>& ids) {
  std::vector<std::pair<std::uint32_t, Bytes>> names;
  for (const std::uint32_t id : ids) {
    passwd entry{};
    passwd* found = nullptr;
    std::vector<char> buffer(16384);
    if (::getpwuid_r(id, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
      names.emplace_back(id, to_bytes(as_bytes(found->pw_name)));
  }
  return names;
}

std::vector<std::pair<std::uint32_t, Bytes>> group_names(const std::set<std::uint32_t>& ids) {
  std::vector<std::pair<std::uint32_t, Bytes>> names;
  for (const std::uint32_t id : ids) {
    group entry{};
    group* found = nullptr;
    std::vector<char> buffer(16384);
    if (::getgrgid_r(id, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
      names.emplace_back(id, to_bytes(as_bytes(found->gr_name)));
  }
  return names;
}

// One for each set of paths, so that jobs do not push each other's files out. Only files are known again without being read.
std::string file_cache_path(const repository::WriteContext& context, const BackupSource& source) {
  const std::string cache = context.repository.repository_cache();
  if (cache.empty() || source.kind() != "files") return "";
  Bytes joined;
  for (const std::string& path : source.paths()) {
    append(joined, as_bytes(path));
    joined.push_back(std::byte{0});
  }
  const crypto::HmacSha256 names(context.domain.current_epoch().id_key.view());
  try {
    make_directories(cache);
  } catch (const Error&) {
    return "";
  }
  return cache + "/files-" + context.domain.id.hex() + "-" + names.mac(as_bytes("paths"), joined).hex().substr(0, 16);
}

void feed(BackupSource& source, SourceStages& stages) {
  try {
    source.feed(stages);
    stages.feeder.flush();
  } catch (...) {
    stages.feeder.abandon();
    throw;
  }
}

// A deep tree needs a descriptor for each level.
void allow_many_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

BackupResult run(const repository::WriteContext& context, const BackupOptions& options, BackupSource& source,
                 Progress& progress, std::stop_token stop) {
  const bool dry = options.commit == BackupOptions::Commit::no;
  const std::int64_t started_ns = context.clock.monotonic_ns();
  const Time started = context.clock.now();
  allow_many_files();

  repository::Index& index = context.repository.index(context.domain);
  const repository::IdKey& id_key = context.domain.current_epoch().id_key;
  FileCache cache(file_cache_path(context, source), context.repository.config().suite, id_key, context.random);

  const unsigned cores = options.threads != 0 ? options.threads : std::max(1U, std::thread::hardware_concurrency());
  pipeline::SlabPool slabs(cores + 3);
  pipeline::Queue<pipeline::Work> work(pipeline::kWorkWaiting);
  pipeline::Queue<pipeline::Span> spans(pipeline::kSpansWaiting);
  pipeline::Queue<pipeline::TreeEvents> events(pipeline::kGroupsWaiting);
  std::stop_source stopper;
  const auto stop_all = [&] {
    stopper.request_stop();
    work.close();
    spans.close();
    events.close();
  };
  const std::stop_callback on_stop(stop, stop_all);
  Failure failure(stop_all);

  BackupResult result;
  const source::Chunker chunker(context.domain.chunking);
  Findings findings(progress);
  ContentCounts counts;
  Pace pace(options.read_limit_bytes_per_s, context.clock);
  std::vector<std::unique_ptr<ChunkFinder>> finders;
  for (unsigned i = 0; i < cores + 2; ++i) finders.push_back(std::make_unique<ChunkFinder>(index, id_key));
  ChunkFinder& source_finder = *finders[cores];
  ChunkFinder& tree_finder = *finders[cores + 1];

  repository::PackWriter packs(context);
  TreeBuilder tree(packs, tree_finder, cache, options.compression_level);
  const auto known_files = [&](ChunkFinder& finder) { return KnownFiles(options.unchanged, cache, finder, counts); };
  KnownFiles known = known_files(source_finder);
  Feeder feeder(chunker, {slabs, work, spans, events}, counts.bytes_read, progress, pace, stopper.get_token());
  SourceStages stages{feeder, known, findings, progress, counts, context.clock, stopper.get_token()};
  {
    std::vector<std::jthread> threads;
    failure.guard([&] {
      for (unsigned i = 0; i < cores; ++i) {
        threads.emplace_back([&, i] {
          std::optional<repository::ChunkWriter> chunks;
          failure.guard([&] {
            if (!dry) chunks.emplace(packs, repository::ChunkType::data, options.compression_level);
          });
          ContentStorer storer(chunker, known_files(*finders[i]), *finders[i], chunks ? &*chunks : nullptr, findings, progress, counts, pace,
                               stopper.get_token());
          // Also after a failure, which is known before its work goes: nobody may wait for what lies in the queue.
          while (auto some = work.pop()) failure.guard([&] { storer.store(*some); });
          failure.guard([&] {
            if (chunks && !stopper.stop_requested()) chunks->flush();
          });
        });
      }
      threads.emplace_back([&] {
        while (auto span = spans.pop()) {
          failure.guard([&] {
            if (!stopper.stop_requested()) hash_span(*span, stopper.get_token());
          });
        }
      });
      threads.emplace_back([&] {
        failure.guard([&] {
          while (auto group = events.pop()) {
            for (pipeline::TreeEvent& event : *group)
              if (!stopper.stop_requested() && !dry) tree.handle(std::move(event));
          }
          if (!stopper.stop_requested() && !dry) tree.finish();
        });
      });
      feed(source, stages);
    });
    work.close();
    spans.close();
    events.close();
  }
  const auto check_stop = [&] {
    if (stop.stop_requested())
      throw Error(ErrorCode::interrupted, "the backup was stopped; what it stored is used by the next one");
  };
  check_stop();
  failure.rethrow();

  result.files_new = counts.files_new;
  result.files_changed = counts.files_changed;
  result.files_unmodified = counts.files_unmodified;
  result.bytes_read = counts.bytes_read;
  result.findings = findings.sorted();
  result.bytes_added = counts.bytes_added;
  result.directories = tree.totals().directories;
  if (!dry) result.state = crypto::HmacSha256(id_key.view()).mac(as_bytes("qcbak state"), tree.state().view());
  if (!dry && options.unless_state == result.state && result.findings.empty()) {
    packs.flush();
    cache.save();
  } else if (!dry) {
    packs.flush();
    check_stop();  // the last packs can take long on a slow medium
    std::set<repository::ObjectName> used = packs.stored();
    for (const auto& finder : finders) used.insert(finder->packs().begin(), finder->packs().end());

    repository::SnapshotHeader header;
    header.time = started;
    header.host = options.host;
    header.source = source.kind();
    for (const std::string& path : source.paths()) header.paths.push_back(to_bytes(as_bytes(path)));
    header.labels = options.labels;
    header.totals = tree.totals();
    header.totals.bytes_added = result.bytes_added + tree.metadata_added();
    header.totals.bytes_stored = packs.bytes_stored();
    header.reference_root = tree.reference_root();
    header.program = "qcbak " QCBAK_VERSION;
    header.findings = result.findings.size();
    header.end = context.clock.now();
    repository::SnapshotBody body;
    body.root = tree.root();
    body.users = user_names(tree.users());
    body.groups = group_names(tree.groups());
    body.findings = result.findings;
    result.snapshot = repository::commit_snapshot(context, std::move(header), std::move(body), {used.begin(), used.end()});
    result.bytes_stored = packs.bytes_stored();
    cache.save();
  }
  result.duration_ns = context.clock.monotonic_ns() - started_ns;
  return result;
}

}  // namespace

BackupResult backup(const repository::WriteContext& context, const BackupOptions& options, BackupSource& source,
                    Progress& progress, std::stop_token stop) {
  try {
    return run(context, options, source, progress, std::move(stop));
  } catch (...) {
    // What the run had claimed and did not store must not count as stored for the next one in this process.
    context.repository.drop_index(context.domain);
    throw;
  }
}

BackupResult backup(const repository::WriteContext& context, const BackupOptions& options, Progress& progress,
                    std::stop_token stop) {
  FileSource files(options);
  return backup(context, options, files, progress, std::move(stop));
}

}  // namespace qcbak
