// Block devices and image files, each as one file of the snapshot: docs/sources.md "Images".
#pragma once

#include "backup/backup_source.h"

namespace qcbak {

class ImageSource : public BackupSource {
 public:
  // A device that can change while it is read is refused, or read as it is.
  enum class WhileMounted { refuse, crash_consistent };
  // `paths` as given.
  ImageSource(const std::vector<std::string>& paths, WhileMounted while_mounted);
  std::string kind() const override { return "image"; }
  std::vector<std::string> paths() const override { return paths_; }
  // Error, not a finding, where an image cannot be read to its end.
  void feed(SourceStages& stages) override;

 private:
  std::vector<std::string> paths_;
  WhileMounted while_mounted_;
};

}  // namespace qcbak
