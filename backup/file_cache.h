// What the last backup of the same paths knew of each file, on the machine's own disk: unchanged files are not opened.
// A backup that has lost it reads everything again and stores the same. The path is kept as an HMAC, the rest is sealed
// with a key that follows from the domain's id_key; a damaged record counts as absent.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backup/repository/tree.h"
#include "backup/source/capture.h"

namespace qcbak {

struct CachedFile {
  std::vector<repository::Part> parts;
  crypto::Sha256 sha256;
  std::uint32_t flags = 0;
  std::vector<repository::ExtendedAttribute> attributes;
};

class FileCache {
 public:
  // `path`: the cache's file; empty: a cache that never knows anything. What an interrupted run left is used too.
  FileCache(const std::string& path, crypto::Suite suite, const repository::IdKey& id_key, Random& random);
  ~FileCache();

  // What the last runs knew. One for each thread; none outlives the cache.
  class Reader {
   public:
    explicit Reader(const FileCache& cache);
    Reader(Reader&&) noexcept;
    ~Reader();
    struct Found {
      bool known = false;  // whether it changed or not
      std::optional<CachedFile> unchanged;  // device, inode, size, mtime and ctime are as they were
    };
    Found find(std::string_view file, const source::Status& status);

   private:
    struct Opened;
    const FileCache& cache_;
    std::vector<Opened> tables_;
  };

  void add(std::string_view file, const source::Status& status, const CachedFile& cached);
  // Replaces the last run's. Without it, what was added is found by the next run beside the last one's; but for the
  // last few MiB of content, also when the process is killed.
  void save();

 private:
  struct Table;
  struct Journal;
  std::string path_;
  crypto::Suite suite_;
  crypto::SecretBytes key_;
  std::unique_ptr<crypto::HmacSha256> names_;
  std::unique_ptr<Table> last_;
  std::unique_ptr<Table> interrupted_;
  std::unique_ptr<Journal> journal_;
};

}  // namespace qcbak
