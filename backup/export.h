// The verb export: a snapshot as an archive, through libarchive.
#pragma once

#include <stop_token>
#include <string>

#include "backup/browse.h"
#include "backup/progress.h"

namespace qcbak {

enum class ArchiveFormat { tar, tar_zst, zip };  // tar: pax with ACLs, extended attributes, holes

struct ExportResult {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  std::vector<repository::Finding> left_out;  // what the format cannot hold (sockets; in zip also devices, attributes …)
};

// `output` is a path, or "-" for standard output. A file is written beside and renamed when it is whole.
ExportResult export_archive(SnapshotTree& tree, const std::string& path, ArchiveFormat format, const std::string& output,
                            Progress& progress, std::stop_token stop);

}  // namespace qcbak
