// Setting and comparing the metadata of an inode that is held open. Target finds the inode; nothing here resolves a path.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "backup/source/target.h"

namespace qcbak::source {

// Both as Target::apply_metadata, which says the order and what is reported; `shown_path` is for messages. The second
// takes an O_PATH descriptor and works through /proc: for what cannot be opened, where flags do not exist.
std::vector<Target::Shortfall> apply_to_descriptor(int fd, std::string_view shown_path, const repository::Metadata& metadata);
std::vector<Target::Shortfall> apply_to_path(int path_fd, std::string_view shown_path, const repository::Metadata& metadata);

// As Target::prepare_content.
void prepare_for_content(int fd, const repository::Metadata& metadata);
// Clears immutable and append-only; says whether one was set and now is not.
bool clear_protection(int fd);

// As Target::compare_metadata.
std::vector<std::string> describe_differences(const repository::Metadata& actual, const repository::Metadata& expected);

}  // namespace qcbak::source
