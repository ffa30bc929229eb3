// Storage in a directory of a local (or mounted) filesystem: an object is a file of that name, mode 0400.
// Beside the objects there are `lock`, which the writer's lock is taken on, and `tmp/`, for files without their final
// name. Files that are not objects (lost+found, an editor's backups, links) are passed over. Symbolic links below the
// directory are never followed: a prepared medium cannot lead a writer elsewhere.
#pragma once

#include <memory>
#include <string>

#include "backup/storage/storage.h"

namespace qcbak::storage {

// How a file is written before it has its name. Unnamed files leave nothing behind whatever happens; named ones are
// for filesystems without O_TMPFILE (NFS) and wherever /proc is not mounted.
enum class TemporaryFiles { unnamed_where_possible, named };

// Throws Error(no_repository) when there is no directory at `path`. Creates nothing: reading works on a read-only
// medium and for a user who may only read.
std::unique_ptr<Storage> open_local_directory(const std::string& path,
                                              TemporaryFiles temporary = TemporaryFiles::unnamed_where_possible);
// Makes the directory and those above it where missing (mode 0700), durably, and opens it.
std::unique_ptr<Storage> create_local_directory(const std::string& path,
                                                TemporaryFiles temporary = TemporaryFiles::unnamed_where_possible);

}  // namespace qcbak::storage
