// Putting an image back onto a device or into a file: the content of one file of a snapshot, over what is there.
#pragma once

#include <stop_token>

#include "backup/restore.h"

namespace qcbak {

// Is the target of a restore one whose content is replaced: a block device, or a file that is there?
bool takes_an_image(const std::string& target);

// `options.path` is a file of the snapshot, `options.target` a block device of its size at least, or a file, which grows to
// it; what lies behind stays. Blocks that are right are left alone (Overwrite::always: written all the same), holes become
// zeros or holes. All is on the medium when it comes back. With Verify::yes it is read back, and compared with the
// SHA-256 of the whole.
// Error(refused) where the device, one of its partitions, or a loop device over the file is in use; Error(usage) where
// the target is too small, or the path is no file. What the repository cannot give is a finding, and so is what was
// read back and differs.
RestoreResult restore_image(const repository::Repository& repository, const repository::SnapshotInfo& snapshot,
                            const RestoreOptions& options, Progress& progress, std::stop_token stop);

}  // namespace qcbak
