#include "backup/file_cache.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <utility>

#include "base/error.h"
#include "base/unique_fd.h"

// The file: magic (8) ‖ salt (32) ‖ records, each u32 length ‖ name (16) ‖ u32 number ‖ sealed ‖ then, once it is whole,
// buckets of u64 offsets, u64 count of buckets, magic. Open addressing from the name's first bytes.
namespace qcbak {
namespace {

constexpr std::string_view kMagic = "qcbakfc1";
constexpr std::size_t kSaltSize = 32;
constexpr std::size_t kNameSize = 16;
constexpr std::size_t kHead = 8 + kSaltSize;
constexpr std::size_t kRecordHead = 4 + kNameSize + 4;
constexpr std::size_t kTail = 16;
constexpr std::size_t kRecordLimit = 256U << 20;
// What is not written yet is lost when the process is killed: of no more content than a pack that it loses too.
constexpr std::size_t kWriteBuffer = 64U << 10;
constexpr std::uint64_t kWriteContentBytes = 16U << 20;

using Name = FixedId<struct CacheNameTag, kNameSize>;

void append_blob(Bytes& out, ByteView blob) {
  append_le<std::uint32_t>(out, static_cast<std::uint32_t>(blob.size()));
  append(out, blob);
}

Bytes encode_fingerprint(const source::Status& status) {
  Bytes out;
  for (const std::uint64_t value : {status.device, status.inode, status.metadata.size_bytes,
                                    static_cast<std::uint64_t>(status.metadata.mtime_s),
                                    static_cast<std::uint64_t>(status.ctime_s)})
    append_le<std::uint64_t>(out, value);
  append_le<std::uint32_t>(out, status.metadata.mtime_ns);
  append_le<std::uint32_t>(out, status.ctime_ns);
  return out;
}

class Parser {
 public:
  explicit Parser(ByteView bytes) : bytes_(bytes) {}
  ByteView take(std::size_t size) {
    if (size > bytes_.size()) throw Error(ErrorCode::damaged, "a cache record is cut off");
    const ByteView taken = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return taken;
  }
  std::uint32_t u32() { return load_le<std::uint32_t>(take(4).data()); }
  std::uint64_t u64() { return load_le<std::uint64_t>(take(8).data()); }
  ByteView blob() { return take(u32()); }

 private:
  ByteView bytes_;
};

off_t size_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_size : -1;
}

Bytes encode(const source::Status& status, const CachedFile& cached) {
  Bytes out = encode_fingerprint(status);
  append(out, cached.sha256.view());
  append_le<std::uint32_t>(out, cached.flags);
  append_le<std::uint32_t>(out, static_cast<std::uint32_t>(cached.parts.size()));
  for (const repository::Part& part : cached.parts) {
    append_le<std::uint64_t>(out, part.length << 1 | (part.chunk ? 1U : 0U));
    if (part.chunk) append(out, part.chunk->view());
  }
  append_le<std::uint32_t>(out, static_cast<std::uint32_t>(cached.attributes.size()));
  for (const repository::ExtendedAttribute& attribute : cached.attributes) {
    append_blob(out, attribute.name);
    append_blob(out, attribute.value);
  }
  return out;
}

CachedFile decode(Parser parser) {
  CachedFile cached;
  cached.sha256 = crypto::Sha256(parser.take(32));
  cached.flags = parser.u32();
  for (std::uint32_t left = parser.u32(); left > 0; --left) {
    repository::Part part;
    const std::uint64_t length = parser.u64();
    part.length = length >> 1;
    if ((length & 1) != 0) part.chunk = repository::ChunkId(parser.take(32));
    cached.parts.push_back(part);
  }
  for (std::uint32_t left = parser.u32(); left > 0; --left) {
    const ByteView name = parser.blob();
    cached.attributes.push_back({to_bytes(name), to_bytes(parser.blob())});
  }
  return cached;
}

}  // namespace

// A whole file, mapped.
struct FileCache::Table {
  void* memory = nullptr;
  std::size_t size = 0;
  std::uint64_t buckets = 0;
  std::unique_ptr<crypto::Aead> aead;

  ~Table() {
    if (memory != nullptr) munmap(memory, size);
  }
  ByteView bytes() const { return {static_cast<const std::byte*>(memory), size}; }

  static std::unique_ptr<Table> map(const std::string& path, crypto::Suite suite, ByteView key) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0 || static_cast<std::size_t>(status.st_size) < kHead + kTail)
      return nullptr;
    auto table = std::make_unique<Table>();
    table->size = static_cast<std::size_t>(status.st_size);
    void* memory = mmap(nullptr, table->size, PROT_READ, MAP_SHARED, fd.get(), 0);
    if (memory == MAP_FAILED) return nullptr;
    table->memory = memory;
    const ByteView all = table->bytes();
    table->buckets = load_le<std::uint64_t>(all.data() + all.size() - kTail);
    if (as_text(all.first(8)) != kMagic || as_text(all.last(8)) != kMagic || !std::has_single_bit(table->buckets) ||
        table->buckets > (all.size() - kHead - kTail) / 8)
      return nullptr;
    const crypto::SecretBytes file_key =
        crypto::hkdf_sha256(key, all.subspan(8, kSaltSize), as_bytes("qcbak file cache"), 32);
    table->aead = std::make_unique<crypto::Aead>(suite, crypto::AeadKey(file_key.view()));
    return table;
  }

  // The record of that name: number and sealed bytes.
  std::optional<std::pair<std::uint32_t, ByteView>> find(const Name& name) const {
    const std::size_t table_at = size - kTail - buckets * 8;
    std::uint64_t bucket = load_le<std::uint64_t>(name.value.data()) & (buckets - 1);
    for (std::uint64_t tries = 0; tries < buckets; ++tries, bucket = (bucket + 1) & (buckets - 1)) {
      const std::uint64_t offset = load_le<std::uint64_t>(bytes().data() + table_at + bucket * 8);
      if (offset == 0) return std::nullopt;
      if (offset < kHead || offset > table_at - kRecordHead) return std::nullopt;
      const ByteView record = bytes().subspan(offset);
      const std::size_t length = load_le<std::uint32_t>(record.data());
      if (offset + kRecordHead + length > table_at) return std::nullopt;
      if (equal(record.subspan(4, kNameSize), name.view()))
        return std::pair(load_le<std::uint32_t>(record.data() + 4 + kNameSize), record.subspan(kRecordHead, length));
    }
    return std::nullopt;
  }
};

struct FileCache::Journal {
  std::string path;
  UniqueFd fd;
  Bytes buffer;
  std::uint64_t content_bytes = 0;  // of the files in `buffer`
  std::uint32_t count = 0;
  std::unique_ptr<crypto::Aead> aead;

  void flush() {
    write_full(fd.get(), buffer, path);
    buffer.clear();
    content_bytes = 0;
  }

  // Adds the buckets to a file of records. It ends at a record that is cut off, or that power loss left as zeros.
  static bool complete(const std::string& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0) return false;
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size < kHead) return false;
    std::size_t end = kHead;
    std::uint64_t count = 0;
    {
      void* memory = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
      if (memory == MAP_FAILED) return false;
      const ByteView bytes(static_cast<const std::byte*>(memory), size);
      while (size - end >= kRecordHead) {
        const std::size_t length = load_le<std::uint32_t>(bytes.data() + end);
        if (length < crypto::kTagSize || length > kRecordLimit || length > size - end - kRecordHead) break;
        if (load_le<std::uint32_t>(bytes.data() + end + 4 + kNameSize) != count) break;
        end += kRecordHead + length;
        ++count;
      }
      munmap(memory, size);
    }
    const std::uint64_t buckets = std::bit_ceil(2 * count + 2);
    const std::size_t whole = end + buckets * 8 + kTail;
    if (::ftruncate(fd.get(), static_cast<off_t>(end)) != 0 || ::ftruncate(fd.get(), static_cast<off_t>(whole)) != 0)
      return false;
    if (::posix_fallocate(fd.get(), static_cast<off_t>(end), static_cast<off_t>(whole - end)) != 0) return false;
    void* memory = mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (memory == MAP_FAILED) return false;
    auto* bytes = static_cast<std::byte*>(memory);
    for (std::size_t at = kHead; at < end;) {
      const std::size_t length = load_le<std::uint32_t>(bytes + at);
      std::uint64_t bucket = load_le<std::uint64_t>(bytes + at + 4) & (buckets - 1);
      while (load_le<std::uint64_t>(bytes + end + bucket * 8) != 0) bucket = (bucket + 1) & (buckets - 1);
      store_le<std::uint64_t>(bytes + end + bucket * 8, at);
      at += kRecordHead + length;
    }
    store_le<std::uint64_t>(bytes + whole - kTail, buckets);
    std::memcpy(bytes + whole - 8, kMagic.data(), 8);
    munmap(memory, whole);
    return true;
  }
};

FileCache::FileCache(const std::string& path, crypto::Suite suite, const repository::IdKey& id_key, Random& random)
    : path_(path), suite_(suite), key_(crypto::hkdf_sha256(id_key.view(), {}, as_bytes("qcbak file cache"), 32)) {
  names_ = std::make_unique<crypto::HmacSha256>(
      crypto::hkdf_sha256(id_key.view(), {}, as_bytes("qcbak file cache names"), 32).view());
  if (path_.empty()) return;
  const std::string journal_path = path_ + ".new";
  const std::string interrupted_path = path_ + ".interrupted";
  // All runs walk in the same order: of two that did not come to their end, the longer one knows what the other does.
  if (::access(journal_path.c_str(), R_OK) == 0 && Journal::complete(journal_path) &&
      size_of(journal_path) >= size_of(interrupted_path))
    ::rename(journal_path.c_str(), interrupted_path.c_str());
  last_ = Table::map(path_, suite_, key_.view());
  interrupted_ = Table::map(interrupted_path, suite_, key_.view());

  ::unlink(journal_path.c_str());
  auto journal = std::make_unique<Journal>();
  journal->path = journal_path;
  journal->fd = UniqueFd(::open(journal_path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!journal->fd) return;  // slower the next time, nothing else
  std::array<std::byte, kSaltSize> salt;
  random.fill(salt);
  append(journal->buffer, as_bytes(kMagic));
  append(journal->buffer, salt);
  const crypto::SecretBytes file_key = crypto::hkdf_sha256(key_.view(), salt, as_bytes("qcbak file cache"), 32);
  journal->aead = std::make_unique<crypto::Aead>(suite_, crypto::AeadKey(file_key.view()));
  journal_ = std::move(journal);
}

FileCache::~FileCache() {
  if (!journal_) return;
  try {
    journal_->flush();
  } catch (const Error&) {
    // The next run reads again what is missing here.
  }
}

struct FileCache::Reader::Opened {
  const Table& table;
  crypto::Aead aead;
};

FileCache::Reader::Reader(const FileCache& cache) : cache_(cache) {
  for (const Table* table : {cache.interrupted_.get(), cache.last_.get()})
    if (table != nullptr) tables_.push_back({*table, table->aead->copy_for_thread()});
}

FileCache::Reader::Reader(Reader&&) noexcept = default;
FileCache::Reader::~Reader() = default;

FileCache::Reader::Found FileCache::Reader::find(std::string_view file, const source::Status& status) {
  Found found;
  if (tables_.empty()) return found;
  const Name name(cache_.names_->mac(as_bytes(file)).view().first(kNameSize));
  const Bytes fingerprint = encode_fingerprint(status);
  for (Opened& opened : tables_) {
    const auto record = opened.table.find(name);
    if (!record) continue;
    found.known = true;
    if (record->second.size() < crypto::kTagSize) continue;
    Bytes plaintext(record->second.size() - crypto::kTagSize);
    if (!opened.aead.open(record->first, name.view(), record->second, plaintext)) continue;
    try {
      Parser parser(plaintext);
      if (!equal(parser.take(fingerprint.size()), fingerprint)) continue;
      found.unchanged = decode(parser);
      break;
    } catch (const Error&) {
      continue;
    }
  }
  return found;
}

void FileCache::add(std::string_view file, const source::Status& status, const CachedFile& cached) {
  if (!journal_) return;
  const Name name(names_->mac(as_bytes(file)).view().first(kNameSize));
  const Bytes plaintext = encode(status, cached);
  Bytes sealed(plaintext.size() + crypto::kTagSize);
  journal_->aead->seal(journal_->count, name.view(), plaintext, sealed);
  append_le<std::uint32_t>(journal_->buffer, static_cast<std::uint32_t>(sealed.size()));
  append(journal_->buffer, name.view());
  append_le<std::uint32_t>(journal_->buffer, journal_->count++);
  append(journal_->buffer, sealed);
  journal_->content_bytes += status.metadata.size_bytes;
  if (journal_->buffer.size() < kWriteBuffer && journal_->content_bytes < kWriteContentBytes) return;
  try {
    journal_->flush();
  } catch (const Error&) {
    journal_.reset();
  }
}

void FileCache::save() {
  if (!journal_) return;
  const std::unique_ptr<Journal> journal = std::exchange(journal_, nullptr);
  try {
    journal->flush();
    journal->fd.close(journal->path);
  } catch (const Error&) {
    return;
  }
  if (Journal::complete(journal->path) && ::rename(journal->path.c_str(), path_.c_str()) == 0)
    ::unlink((path_ + ".interrupted").c_str());
}

}  // namespace qcbak
