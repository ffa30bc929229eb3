// Files of the live system: walks the paths and finds what changed. docs/sources.md "Files".
#pragma once

#include "backup/backup.h"
#include "backup/backup_source.h"

namespace qcbak {

class FileSource : public BackupSource {
 public:
  // Takes from the options the paths and what narrows them; they outlive it.
  explicit FileSource(const BackupOptions& options);
  std::string kind() const override { return "files"; }
  std::vector<std::string> paths() const override { return paths_; }
  void feed(SourceStages& stages) override;

 private:
  const BackupOptions& options_;
  std::vector<std::string> paths_;
};

}  // namespace qcbak
