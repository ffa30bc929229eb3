// Where the content of a snapshot comes from: files, the output of a command, an image. docs/sources.md.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "backup/feeder.h"
#include "backup/findings.h"

namespace qcbak {

class KnownFiles;
struct ContentCounts;

// What a run gives a source to work with. All of it outlives feed().
struct SourceStages {
  Feeder& feeder;
  KnownFiles& known;  // what the last run of the same paths kept
  Findings& findings;
  Progress& progress;
  ContentCounts& counts;
  const Clock& clock;
  std::stop_token stop;  // the user's wish, or a failure of a later stage: nothing more is wanted
};

class BackupSource {
 public:
  BackupSource() = default;
  BackupSource(const BackupSource&) = delete;
  BackupSource& operator=(const BackupSource&) = delete;
  virtual ~BackupSource() = default;

  // As in the snapshot's header: docs/format.md "Snapshots".
  virtual std::string kind() const = 0;
  virtual std::vector<std::string> paths() const = 0;
  // Sends the tree from "/" down, in one thread, each directory's entries in ascending order of names. What of it cannot
  // be kept is a finding. Error: there is no snapshot, however much was sent.
  virtual void feed(SourceStages& stages) = 0;
};

}  // namespace qcbak
