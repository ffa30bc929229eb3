#include "backup/image_extents.h"

#include <ext2fs/ext2fs.h>

#include <algorithm>
#include <memory>

namespace qcbak {
namespace {

using source::Extent;

struct CloseFileSystem {
  void operator()(ext2_filsys file_system) const {
    ext2fs_free(file_system);
  }  // nothing was changed that could be written
};
using FileSystem = std::unique_ptr<struct_ext2_filsys, CloseFileSystem>;

// The library refuses features that it does not know.
FileSystem open_file_system(const std::string& path) {
  ext2_filsys opened = nullptr;
  if (ext2fs_open(path.c_str(), EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &opened) != 0) return nullptr;
  return FileSystem(opened);
}

// Is what it says of free blocks to be relied on?
bool is_settled(ext2_filsys file_system) {
  ext2_super_block* const super = file_system->super;
  return (super->s_state & EXT2_VALID_FS) != 0 && (super->s_state & EXT2_ERROR_FS) == 0 &&
         !ext2fs_has_feature_journal_needs_recovery(super) && !ext2fs_has_feature_journal_dev(super) &&
         !ext2fs_has_feature_bigalloc(super) && !ext2fs_has_feature_mmp(super);
}

void add(std::vector<Extent>& extents, std::uint64_t from, std::uint64_t to) {
  if (to > from) extents.push_back({from, to - from});
}

}  // namespace

std::vector<Extent> used_extents_of_ext4(const std::string& path, std::uint64_t size_bytes) {
  const FileSystem file_system = open_file_system(path);
  if (!file_system || !is_settled(file_system.get())) return {};
  const std::uint64_t block = file_system->blocksize;
  const blk64_t count = ext2fs_blocks_count(file_system->super);
  if (count == 0 || count > size_bytes / block || ext2fs_read_block_bitmap(file_system.get()) != 0) return {};
  std::vector<Extent> used;
  std::uint64_t used_from = 0;  // what lies before the first block belongs to nobody the file system knows
  for (blk64_t at = file_system->super->s_first_data_block; at < count;) {
    blk64_t free_from = 0;
    if (ext2fs_find_first_zero_block_bitmap2(file_system->block_map, at, count - 1, &free_from) != 0) break;
    blk64_t free_to = 0;
    if (ext2fs_find_first_set_block_bitmap2(file_system->block_map, free_from, count - 1, &free_to) != 0)
      free_to = count;
    add(used, used_from, free_from * block);
    used_from = free_to * block;
    at = free_to;
  }
  add(used, used_from, size_bytes);
  return used;
}

std::vector<Extent> intersection(const std::vector<Extent>& one, const std::vector<Extent>& other) {
  std::vector<Extent> both;
  for (auto a = one.begin(), b = other.begin(); a != one.end() && b != other.end();) {
    const std::uint64_t a_end = a->offset + a->length, b_end = b->offset + b->length;
    add(both, std::max(a->offset, b->offset), std::min(a_end, b_end));
    if (a_end < b_end)
      ++a;
    else
      ++b;
  }
  return both;
}

}  // namespace qcbak
