// A tree that has everything, and the comparison of two trees by programs that are not ours.
#pragma once

#include <cstdint>
#include <string>

namespace qcbak::tests {

// Runs a shell script in a directory; throws when it fails.
void in_directory(const std::string& directory, const std::string& script);
std::string listing(const std::string& directory, const std::string& command);  // its output
void set_mtime(const std::string& path, std::int64_t seconds, long nanoseconds);

// Every kind of entry, and of metadata, that ext4, xfs, btrfs and tmpfs all hold. `root` is made when it is not there.
void make_whole_tree(const std::string& root);

// What rsync, find, stat, getfacl, getfattr and lsattr say is not the same in two such trees; empty: nothing.
std::string differences(const std::string& a, const std::string& b);

}  // namespace qcbak::tests
