#include "backup/content_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "base/error.h"

namespace qcbak {
namespace {

using repository::ChunkType;
using repository::RecordDecoder;

constexpr std::size_t kRunBytes = 4U << 20;   // fetched with one request
constexpr std::size_t kGapBytes = 64U << 10;  // unneeded bytes that are read rather than asked around
constexpr std::size_t kPacksOpen = 8;
constexpr std::uint64_t kPreallocateFrom = 1U << 20;

}  // namespace

ContentWriter::ContentWriter(const repository::Repository& repository, const repository::DomainKeys& domain,
                             source::Target& target, const RestoreOptions& options, Progress& progress,
                             std::stop_token stop)
    : repository_(repository),
      domain_(domain),
      binding_(repository.binding(domain.id)),
      target_(target),
      options_(options),
      progress_(progress),
      stop_(std::move(stop)) {
  for (const repository::EpochKeys& epoch : domain.epochs) namers_.emplace_back(epoch.id_key);
}

void ContentWriter::add_finding(const std::string& path, RestoreFinding::Kind kind, const std::string& what) {
  const std::lock_guard lock(findings_mutex_);
  findings_.push_back({path, what, kind});
  ++progress_.problems;
}

void ContentWriter::report(const std::string& path, const std::vector<source::Target::Shortfall>& shortfalls) {
  for (const auto& shortfall : shortfalls)
    add_finding(path, RestoreFinding::Kind::not_set, shortfall.what + ": " + shortfall.reason);
}

void ContentWriter::fail(FilePlan& file, RestoreFinding::Kind kind, const std::string& what) {
  if (!std::exchange(file.failed, true)) add_finding(file.path, kind, what);
}

// Does the target already hold these bytes?
bool ContentWriter::holds(int fd, const repository::Part& part, std::uint64_t offset, PageBuffer& buffer) {
  if (buffer.capacity() < part.length) buffer = PageBuffer(std::max<std::size_t>(part.length, 1U << 20));
  const MutableByteView bytes = buffer.span().first(part.length);
  if (pread_full(fd, bytes, offset, "the target") != bytes.size()) return false;
  const crypto::Sha256 hash = crypto::sha256(bytes);
  return std::any_of(namers_.begin(), namers_.end(), [&](const repository::ChunkNamer& namer) {
    return namer.name(ChunkType::data, hash) == *part.chunk;
  });
}

// A file that must be made, or be taken as it is where its content fits. True when there is content to fetch.
bool ContentWriter::plan(FilePlan& file, std::vector<Want>& wants) {
  std::uint64_t data_bytes = 0;
  bool holes = false;
  for (const repository::Part& part : file.parts) {
    if (part.chunk) data_bytes += part.length;
    else holes = true;
  }
  file.parts_left = 0;
  std::vector<bool> there(file.parts.size(), false);
  if (options_.overwrite == RestoreOptions::Overwrite::if_changed && file.existing == FilePlan::Existing::possible) {
    std::optional<UniqueFd> existing;
    try {
      existing = target_.open_existing_file(file.path);
    } catch (const Error&) {
      // Nothing there that could be kept.
    }
    if (existing) {
      existing.reset();
      file.fd = target_.create_file(file.path, source::Target::Existing::reuse);
      struct stat status {};
      if (::fstat(file.fd.get(), &status) != 0) throw_errno("read the state of", file.path);
      const bool reused = status.st_size > 0;
      if (::ftruncate(file.fd.get(), static_cast<off_t>(file.entry.metadata.size_bytes)) != 0)
        throw_errno("resize", file.path);
      if (reused) {
        PageBuffer buffer;
        std::uint64_t offset = 0;
        for (std::size_t i = 0; i < file.parts.size(); ++i) {
          const repository::Part& part = file.parts[i];
          if (part.chunk) {
            there[i] = holds(file.fd.get(), part, offset, buffer);
          } else {
            // Old bytes must not show through a hole. Where a file system has none, zeros are written.
            if (::fallocate(file.fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                            static_cast<off_t>(part.length)) != 0) {
              const Bytes zeros(64U << 10);
              for (std::uint64_t at = 0; at < part.length; at += zeros.size())
                pwrite_full(file.fd.get(), ByteView(zeros).first(std::min<std::uint64_t>(zeros.size(), part.length - at)),
                            offset + at, file.path);
            }
          }
          offset += part.length;
        }
      }
    }
  }
  // Many small files: made by whoever brings their one chunk, so that few are open at a time.
  const bool by_worker = !file.fd && file.parts.size() == 1 && file.parts[0].chunk;
  if (!file.fd && !by_worker) {
    open_new(file);
    if (holes || file.parts.empty()) {
      if (::ftruncate(file.fd.get(), static_cast<off_t>(file.entry.metadata.size_bytes)) != 0)
        throw_errno("resize", file.path);
    } else if (data_bytes >= kPreallocateFrom) {
      const int error = ::posix_fallocate(file.fd.get(), 0, static_cast<off_t>(file.entry.metadata.size_bytes));
      if (error == ENOSPC || error == EDQUOT || error == EFBIG) throw_errno("reserve space for", file.path, error);
    }
  }

  const repository::Index& index = repository_.index(domain_);
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < file.parts.size(); ++i) {
    const repository::Part& part = file.parts[i];
    if (part.chunk && there[i]) progress_.done_bytes += part.length;
    if (part.chunk && !there[i]) {
      const auto place = index.find(*part.chunk);
      Want want{place ? place->pack : repository::ObjectName(), place ? place->offset : 0,
                place ? place->stored_length : 0, *part.chunk, &file, offset, part.length};
      wants.push_back(want);
      ++file.parts_left;
    }
    offset += part.length;
  }
  if (file.parts_left == 0) finish(file);
  return file.parts_left > 0;
}

void ContentWriter::open_new(FilePlan& file) {
  file.fd = target_.create_file(file.path, source::Target::Existing::replace);
  target_.prepare_content(file.fd.get(), file.entry.metadata);
}

void ContentWriter::finish(FilePlan& file) {
  if (file.fd && file.metadata == FilePlan::Metadata::apply && !file.failed) {
    report(file.path, target_.apply_metadata(file.fd.get(), file.path, file.entry.metadata));
  }
  if (file.fd) file.fd.close(file.path);
  file.fd = UniqueFd();
}

void ContentWriter::part_done(FilePlan& file) {
  if (--file.parts_left > 0) return;
  try {
    finish(file);
  } catch (const Error& error) {
    fail(file, RestoreFinding::Kind::failed, error.what());
  }
}

void ContentWriter::write_part(const Want& want, ByteView content) {
  FilePlan& file = *want.file;
  const std::lock_guard lock(file.mutex);
  try {
    if (content.size() != want.length) throw Error(ErrorCode::damaged, "a chunk is not of the length the tree gives");
    if (!file.fd && !file.failed) open_new(file);
    if (file.fd) pwrite_full(file.fd.get(), content, want.offset, file.path);
    bytes_written_ += content.size();
    progress_.done_bytes += content.size();
  } catch (const Error& error) {
    fail(file, error.code() == ErrorCode::damaged ? RestoreFinding::Kind::damaged : RestoreFinding::Kind::failed,
         error.what());
  }
  part_done(file);
}

std::shared_ptr<const repository::PackReader> ContentWriter::pack(const repository::ObjectName& name) {
  const std::lock_guard lock(packs_mutex_);
  for (const auto& reader : packs_)
    if (reader->name() == name) return reader;
  auto reader = std::make_shared<const repository::PackReader>(repository_.storage(), name, binding_, domain_);
  if (packs_.size() >= kPacksOpen) packs_.erase(packs_.begin());
  packs_.push_back(reader);
  return reader;
}

// Takes runs of records that lie close together in one pack.
class ContentWriter::Worker {
 public:
  explicit Worker(ContentWriter& writer)
      : writer_(writer), decoder_(writer.binding_, writer.domain_), fallback_(writer.repository_, writer.domain_) {}

  void handle(Wants run) {
    std::size_t done = 0;
    try {
      if (run.front().stored_length == 0) throw Error(ErrorCode::damaged, "not in the index");
      fetch(run, done);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::interrupted) throw;
      // Damage, or a collection moved the pack: chunk by chunk, from wherever a good copy is.
      for (const Want& want : run.subspan(done)) one_by_one(want);
    }
  }

 private:
  void fetch(Wants run, std::size_t& done) {
    const std::shared_ptr<const repository::PackReader> pack = writer_.pack(run.front().pack);
    const std::uint64_t begin = run.front().record;
    std::uint64_t end = begin;
    for (std::size_t i = 0; i < run.size(); ++i) {
      const Want& want = run[i];
      if (i > 0 && want.record == run[i - 1].record && want.stored_length == run[i - 1].stored_length) continue;
      // What the index says of a record counts only when the pack says so too.
      const repository::PackRecord* record = pack->record_at(want.record);
      if (record == nullptr || record->stored_length != want.stored_length)
        throw Error(ErrorCode::damaged, "the index names a place that holds no record");
      end = std::max(end, std::uint64_t(want.record) + want.stored_length);
    }
    if (buffer_.capacity() < end - begin) buffer_ = PageBuffer(end - begin);
    const MutableByteView bytes = buffer_.span().first(end - begin);
    const auto got =
        writer_.repository_.storage().get_range(repository::pack_path(pack->name()), begin, bytes);
    if (got != bytes.size()) throw Error(ErrorCode::damaged, "the pack is missing or cut off");
    while (done < run.size()) {
      std::size_t last = done;
      while (last < run.size() && run[last].record == run[done].record) ++last;
      const repository::PackRecord* record = pack->record_at(run[done].record);
      const ByteView payload =
          decoder_.decode(pack->table().segments[record->segment], record->info,
                          bytes.subspan(run[done].record - begin, record->stored_length), RecordDecoder::Hashes::check);
      write_wanted(run.subspan(done, last - done), record->info, payload);
      done = last;
    }
  }

  // Wants and the record's chunks, both looked through by id.
  void write_wanted(Wants wants, const repository::RecordInfo& record, ByteView payload) {
    std::size_t at = 0;
    std::vector<std::pair<repository::ChunkId, std::pair<std::size_t, std::size_t>>> chunks;
    for (const repository::ChunkRef& chunk : record.chunks) {
      chunks.push_back({chunk.id, {at, chunk.length}});
      at += chunk.length;
    }
    std::sort(chunks.begin(), chunks.end());
    for (const Want& want : wants) {
      const auto found = std::lower_bound(chunks.begin(), chunks.end(), want.chunk,
                                          [](const auto& chunk, const auto& id) { return chunk.first < id; });
      if (found == chunks.end() || found->first != want.chunk) {
        one_by_one(want);
        continue;
      }
      writer_.write_part(want, payload.subspan(found->second.first, found->second.second));
    }
  }

  void one_by_one(const Want& want) {
    try {
      writer_.write_part(want, fallback_.load(ChunkType::data, want.chunk));
    } catch (const Error& error) {
      FilePlan& file = *want.file;
      const std::lock_guard lock(file.mutex);
      writer_.fail(file, RestoreFinding::Kind::damaged, error.what());
      writer_.part_done(file);
    }
  }

  ContentWriter& writer_;
  RecordDecoder decoder_;
  repository::ChunkReader fallback_;
  PageBuffer buffer_;
};

void ContentWriter::write(std::vector<std::unique_ptr<FilePlan>>& files) {
  std::vector<Want> wants;
  for (const std::unique_ptr<FilePlan>& file : files) {
    if (stop_.stop_requested()) throw Error(ErrorCode::interrupted, "the restore was stopped");
    try {
      plan(*file, wants);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::no_space) throw;
      std::erase_if(wants, [&](const Want& want) { return want.file == file.get(); });
      fail(*file, RestoreFinding::Kind::failed, error.what());
      file->fd = UniqueFd();
    }
  }
  std::stable_sort(wants.begin(), wants.end(), [](const Want& a, const Want& b) {
    return a.pack != b.pack ? a.pack < b.pack : a.record < b.record;
  });
  std::vector<Wants> runs;
  for (std::size_t at = 0; at < wants.size();) {
    std::size_t end = at + 1;
    while (end < wants.size() && wants[end].pack == wants[at].pack && wants[at].stored_length != 0) {
      const std::uint64_t reached = std::uint64_t(wants[end - 1].record) + wants[end - 1].stored_length;
      const bool near = wants[end].record <= reached + kGapBytes;
      const bool fits = std::uint64_t(wants[end].record) + wants[end].stored_length - wants[at].record <= kRunBytes ||
                        wants[end].record == wants[end - 1].record;
      if (!near || !fits) break;
      ++end;
    }
    runs.push_back(Wants(wants).subspan(at, end - at));
    at = end;
  }

  std::atomic<std::size_t> next = 0;
  std::mutex failure_mutex;
  std::exception_ptr failure;
  const unsigned count = options_.threads != 0 ? options_.threads : std::max(1U, std::thread::hardware_concurrency());
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < count; ++i) {
      threads.emplace_back([&] {
        try {
          Worker worker(*this);
          for (std::size_t at = next++; at < runs.size(); at = next++) {
            if (stop_.stop_requested()) throw Error(ErrorCode::interrupted, "the restore was stopped");
            worker.handle(runs[at]);
          }
        } catch (...) {
          next = runs.size();
          const std::lock_guard lock(failure_mutex);
          if (!failure) failure = std::current_exception();
        }
      });
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace qcbak
