// How entries of a snapshot look in lists and in JSON.
#pragma once

#include <string>

#include "backup/browse.h"
#include "cli/json.h"

namespace qcbak::cli {

std::string_view type_name(repository::EntryType type);       // "file", "directory", …
std::string mode_text(const repository::Metadata& metadata);  // "drwxr-xr-x"
Time modified(const repository::Metadata& metadata);
// The name of a user or group as the backup knew it, else the number.
std::string owner_name(const std::vector<std::pair<std::uint32_t, Bytes>>& names, std::uint32_t id);
Json entry_json(const std::string& path, const repository::Entry& entry, const repository::SnapshotBody& body);

}  // namespace qcbak::cli
