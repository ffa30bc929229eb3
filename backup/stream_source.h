// What comes as one stream, as one file of the snapshot: docs/sources.md "Streams". A stream that is empty is an error: a
// tool that fails without saying so gives one.
#pragma once

#include <string>

#include "backup/backup_source.h"

namespace qcbak {

// Error(usage) unless a file of a snapshot can have it: one component of a path.
void check_stream_name(const std::string& name);

// What a command of the shell prints. It has to end well: Error(failed), naming it and how it ended. Whatever it started is
// gone when feed() comes back.
class CommandSource : public BackupSource {
 public:
  CommandSource(std::string command, std::string name);
  std::string kind() const override { return "command"; }
  std::vector<std::string> paths() const override { return {"/" + name_}; }
  void feed(SourceStages& stages) override;

 private:
  std::string command_;
  std::string name_;
};

// What can be read from a descriptor, which stays the caller's. Whether it is all, nobody can say.
class InputSource : public BackupSource {
 public:
  InputSource(int fd, std::string name);
  std::string kind() const override { return "stream"; }
  std::vector<std::string> paths() const override { return {"/" + name_}; }
  void feed(SourceStages& stages) override;

 private:
  int fd_;
  std::string name_;
};

}  // namespace qcbak
