#include "backup/export.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <locale.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <map>
#include <memory>

#include "base/error.h"
#include "base/unique_fd.h"

namespace qcbak {
namespace {

using repository::Entry;
using repository::EntryType;
using repository::ExtendedAttribute;
using repository::Metadata;

constexpr std::size_t kWriteBytes = std::size_t{1} << 20;
constexpr int kTarBlockBytes = 10240;  // 20 blocks of 512: what tar(1) pads an archive to
constexpr std::string_view kAccessList = "system.posix_acl_access";
constexpr std::string_view kDefaultList = "system.posix_acl_default";

// libarchive takes names to be in the character set of the locale. Here they are bytes: with C.UTF-8, those that are UTF-8
// are stored as they are, and the others are marked (pax: hdrcharset=BINARY), whatever the user's locale is.
class Utf8Locale {
 public:
  Utf8Locale() : mine_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (mine_ == nullptr) throw_errno("set the locale", "C.UTF-8");
    before_ = ::uselocale(mine_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;
  ~Utf8Locale() {
    ::uselocale(before_);
    ::freelocale(mine_);
  }

 private:
  ::locale_t mine_;
  ::locale_t before_ = nullptr;
};

bool is_utf8(std::string_view text) {
  std::mbstate_t state{};
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = std::mbrtowc(nullptr, text.data() + at, text.size() - at, &state);
    if (length == 0 || length > text.size()) return false;  // NUL, cut off or invalid
    at += length;
  }
  return true;
}

// Where the archive goes. A file appears under its name once it is whole; devices, pipes and "-" are written straight.
class Output {
 public:
  explicit Output(const std::string& path) : path_(path) {
    struct stat present;
    if (path == "-") {
      fd_ = UniqueFd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
      path_ = "standard output";
    } else if (::stat(path.c_str(), &present) == 0 && !S_ISREG(present.st_mode)) {
      fd_ = UniqueFd(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
    } else {
      temporary_ = path + ".XXXXXX";
      fd_ = UniqueFd(::mkostemp(temporary_.data(), O_CLOEXEC));
      if (!fd_) temporary_.clear();
    }
    if (!fd_) throw_errno("write", printable(path_));
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  void write(ByteView bytes) { write_full(fd_.get(), bytes, printable(path_)); }
  void finish() {
    if (temporary_.empty()) return fd_.close(printable(path_));
    if (::fsync(fd_.get()) != 0) throw_errno("write", printable(path_));
    fd_.close(printable(path_));
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) throw_errno("rename to", printable(path_));
    temporary_.clear();
    const std::size_t slash = path_.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
    const UniqueFd parent(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!parent || ::fsync(parent.get()) != 0) throw_errno("write", printable(directory));
  }

 private:
  std::string path_;
  std::string temporary_;
  UniqueFd fd_;
};

struct FreeArchive {
  void operator()(struct archive* archive) const { ::archive_write_free(archive); }
  void operator()(struct archive_entry* entry) const { ::archive_entry_free(entry); }
};
using ArchiveEntry = std::unique_ptr<struct archive_entry, FreeArchive>;

class ArchiveWriter {
 public:
  ArchiveWriter(ArchiveFormat format, Output& output) : output_(output), archive_(::archive_write_new()) {
    check(archive_ != nullptr, "libarchive has memory");
    if (format == ArchiveFormat::zip) {
      must(::archive_write_set_format_zip(archive_.get()));
    } else {
      must(::archive_write_set_format_pax(archive_.get()));
      // The form that GNU tar and star know too; libarchive would write its own beside it.
      must(::archive_write_set_format_option(archive_.get(), "pax", "xattrheader", "SCHILY"));
    }
    if (format == ArchiveFormat::tar_zst) must(::archive_write_add_filter_zstd(archive_.get()));
    must(::archive_write_set_bytes_per_block(archive_.get(), kWriteBytes));
    must(::archive_write_set_bytes_in_last_block(archive_.get(), format == ArchiveFormat::tar ? kTarBlockBytes : 1));
    must(::archive_write_open2(archive_.get(), this, nullptr, &ArchiveWriter::write, nullptr, nullptr));
  }

  ArchiveWriter(const ArchiveWriter&) = delete;
  ArchiveWriter& operator=(const ArchiveWriter&) = delete;
  // Freeing an archive closes it, and what was cut short would then look whole.
  ~ArchiveWriter() {
    if (!closed_) ::archive_write_fail(archive_.get());
  }

  // What libarchive complains of, having written the entry nevertheless; empty: nothing.
  std::string header(struct archive_entry* entry) {
    const int result = ::archive_write_header(archive_.get(), entry);
    if (result == ARCHIVE_WARN) return ::archive_error_string(archive_.get());
    must(result);
    return "";
  }
  void data(ByteView bytes) {
    while (!bytes.empty()) {
      const la_ssize_t written = ::archive_write_data(archive_.get(), bytes.data(), bytes.size());
      if (written <= 0) must(written == 0 ? ARCHIVE_FATAL : static_cast<int>(written));
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }
  void finish_entry() { must(::archive_write_finish_entry(archive_.get())); }
  void close() {
    must(::archive_write_close(archive_.get()));
    closed_ = true;
  }

 private:
  static la_ssize_t write(struct archive* archive, void* self, const void* bytes, std::size_t size) {
    ArchiveWriter& writer = *static_cast<ArchiveWriter*>(self);
    // An exception must not unwind through libarchive; must() throws it on the other side.
    try {
      if (!writer.failure_) writer.output_.write({static_cast<const std::byte*>(bytes), size});
    } catch (...) {
      writer.failure_ = std::current_exception();
    }
    if (!writer.failure_) return static_cast<la_ssize_t>(size);
    ::archive_set_error(archive, EIO, "the archive cannot be written");
    return -1;
  }
  void must(int result) {
    if (failure_) std::rethrow_exception(failure_);
    if (result == ARCHIVE_OK) return;
    const char* why = ::archive_error_string(archive_.get());
    throw Error(ErrorCode::failed, std::string("write the archive: ") + (why == nullptr ? "libarchive failed" : why));
  }

  Output& output_;
  std::exception_ptr failure_;
  bool closed_ = false;
  std::unique_ptr<struct archive, FreeArchive> archive_;
};

mode_t file_type(EntryType type) {
  switch (type) {
    case EntryType::file: return AE_IFREG;
    case EntryType::directory: return AE_IFDIR;
    case EntryType::symlink: return AE_IFLNK;
    case EntryType::fifo: return AE_IFIFO;
    case EntryType::socket: return AE_IFSOCK;
    case EntryType::char_device: return AE_IFCHR;
    case EntryType::block_device: return AE_IFBLK;
  }
  return 0;
}

class Exporter {
 public:
  Exporter(SnapshotTree& tree, ArchiveFormat format, ArchiveWriter& archive, Progress& progress,
           const std::stop_token& stop)
      : tree_(tree), format_(format), archive_(archive), progress_(progress), stop_(stop) {
    for (const auto& [id, name] : tree.body().users) users_.emplace(id, to_string(name));
    for (const auto& [id, name] : tree.body().groups) groups_.emplace(id, to_string(name));
  }

  void add(const std::string& path, const Entry& entry) {
    if (stop_.stop_requested()) throw Error(ErrorCode::interrupted, "stopped while exporting");
    progress_.current.lock()->assign(path);
    in_context(printable(path), [&] {
      if (format_ == ArchiveFormat::zip) add_to_zip(path, entry);
      else add_to_tar(path, entry);
    });
    ++progress_.done_files;
  }
  ExportResult result() && { return std::move(result_); }

 private:
  void leave_out(const std::string& path, std::string what) {
    result_.left_out.push_back({path, std::move(what)});
    ++progress_.problems;
  }

  ArchiveEntry basic_entry(const std::string& path, const Metadata& metadata) const {
    ArchiveEntry to(::archive_entry_new());
    check(to != nullptr, "libarchive has memory");
    // Relative, so that unpacking stays below where it is done.
    ::archive_entry_copy_pathname(to.get(), path.c_str() + 1);
    ::archive_entry_set_mode(to.get(), file_type(metadata.type) | metadata.mode);
    ::archive_entry_set_uid(to.get(), metadata.uid);
    ::archive_entry_set_gid(to.get(), metadata.gid);
    if (const auto user = users_.find(metadata.uid); user != users_.end())
      ::archive_entry_copy_uname(to.get(), user->second.c_str());
    if (const auto group = groups_.find(metadata.gid); group != groups_.end())
      ::archive_entry_copy_gname(to.get(), group->second.c_str());
    ::archive_entry_set_mtime(to.get(), metadata.mtime_s, static_cast<long>(metadata.mtime_ns));
    ::archive_entry_set_size(to.get(), static_cast<la_int64_t>(metadata.size_bytes));
    if (metadata.type == EntryType::symlink)
      ::archive_entry_copy_symlink(to.get(), to_string(metadata.link_target).c_str());
    return to;
  }

  void write(const std::string& path, const Entry& entry, struct archive_entry* to) {
    const std::string complaint = archive_.header(to);
    // Of names that are not UTF-8 it complains, and keeps their bytes.
    bool only_names = false;
    for (const char* name : {::archive_entry_pathname(to), ::archive_entry_symlink(to), ::archive_entry_hardlink(to),
                             ::archive_entry_uname(to), ::archive_entry_gname(to)})
      only_names |= name != nullptr && !is_utf8(name);
    if (!complaint.empty() && !only_names) leave_out(path, complaint);
    if (::archive_entry_size(to) > 0) {
      tree_.read_file(entry, [&](ByteView piece) {
        if (stop_.stop_requested()) throw Error(ErrorCode::interrupted, "stopped while exporting");
        archive_.data(piece);
        progress_.done_bytes += piece.size();
      });
      result_.bytes += entry.metadata.size_bytes;
    }
    archive_.finish_entry();
    ++result_.entries;
  }

  void add_to_tar(const std::string& path, const Entry& entry) {
    const Metadata& metadata = entry.metadata;
    if (metadata.type == EntryType::socket) return leave_out(path, "a socket, which tar cannot hold");
    const ArchiveEntry to = basic_entry(path, metadata);
    if (metadata.mtime_s < 0 && metadata.mtime_ns != 0) {
      // pax has decimal numbers, of which libarchive puts the sign before the seconds but adds the fraction: it and
      // GNU tar would read different times.
      leave_out(path, "the fraction of a second in its time before 1970");
      ::archive_entry_set_mtime(to.get(), metadata.mtime_s, 0);
    }
    if (metadata.link_count > 1) {
      const std::string& first = names_.try_emplace({metadata.link_device, metadata.link_inode}, path).first->second;
      if (first != path) {
        ::archive_entry_copy_hardlink(to.get(), first.c_str() + 1);
        ::archive_entry_set_size(to.get(), 0);
        return write(path, entry, to.get());
      }
    }
    if (metadata.type == EntryType::char_device || metadata.type == EntryType::block_device) {
      ::archive_entry_set_rdevmajor(to.get(), static_cast<dev_t>(metadata.device >> 32));
      ::archive_entry_set_rdevminor(to.get(), static_cast<dev_t>(metadata.device & 0xffff'ffff));
    }
    if (metadata.type == EntryType::file) add_holes(entry, to.get());
    for (const ExtendedAttribute& attribute : metadata.attributes) add_attribute(path, attribute, to.get());
    if (metadata.flags != 0) add_flags(path, metadata.flags, to.get());
    write(path, entry, to.get());
  }

  void add_holes(const Entry& entry, struct archive_entry* to) {
    std::uint64_t at = 0, data_from = 0;
    bool any_hole = false, any_data = false;
    const auto end_data = [&] {
      if (at == data_from) return;
      ::archive_entry_sparse_add_entry(to, static_cast<la_int64_t>(data_from), static_cast<la_int64_t>(at - data_from));
      any_data = true;
    };
    for (const repository::Part& part : tree_.parts(entry)) {
      if (!part.chunk) {
        end_data();
        any_hole = true;
      }
      at += part.length;
      if (!part.chunk) data_from = at;
    }
    if (!any_hole) return ::archive_entry_sparse_clear(to);
    end_data();
    // What libarchive itself notes of a file that is one hole.
    if (!any_data) ::archive_entry_sparse_add_entry(to, 0, 0);
  }

  void add_attribute(const std::string& path, const ExtendedAttribute& attribute, struct archive_entry* to) {
    const std::string name = to_string(attribute.name);
    if (name == kAccessList || name == kDefaultList) {
      const int type = name == kAccessList ? ARCHIVE_ENTRY_ACL_TYPE_ACCESS : ARCHIVE_ENTRY_ACL_TYPE_DEFAULT;
      if (!add_access_list(attribute.value, type, to)) leave_out(path, "attribute " + name + ": not an access list");
      return;
    }
    // The name stands before an '=' in the pax header, and GNU tar reads %3D and %25 as '=' and '%'.
    for (const char* taken : {"=", "%3D", "%25"})
      if (name.find(taken) != std::string::npos)
        return leave_out(path, "attribute " + printable(name) + ", whose name pax cannot hold");
    ::archive_entry_xattr_add_entry(to, name.c_str(), attribute.value.data(), attribute.value.size());
  }

  // linux/posix_acl_xattr.h: u32 version 2, then u16 tag, u16 permissions, u32 id for each entry.
  bool add_access_list(ByteView value, int type, struct archive_entry* to) const {
    constexpr std::size_t kHeaderSize = 4, kEntrySize = 8;
    if (value.size() < kHeaderSize || (value.size() - kHeaderSize) % kEntrySize != 0 ||
        load_le<std::uint32_t>(value.data()) != 2)
      return false;
    for (value = value.subspan(kHeaderSize); !value.empty(); value = value.subspan(kEntrySize)) {
      const auto tag = load_le<std::uint16_t>(value.data());
      const auto permissions = load_le<std::uint16_t>(value.data() + 2);
      const auto id = load_le<std::uint32_t>(value.data() + 4);
      const std::map<std::uint32_t, std::string>* names = nullptr;
      int to_tag = 0;
      switch (tag) {
        case 0x01: to_tag = ARCHIVE_ENTRY_ACL_USER_OBJ; break;
        case 0x02: to_tag = ARCHIVE_ENTRY_ACL_USER, names = &users_; break;
        case 0x04: to_tag = ARCHIVE_ENTRY_ACL_GROUP_OBJ; break;
        case 0x08: to_tag = ARCHIVE_ENTRY_ACL_GROUP, names = &groups_; break;
        case 0x10: to_tag = ARCHIVE_ENTRY_ACL_MASK; break;
        case 0x20: to_tag = ARCHIVE_ENTRY_ACL_OTHER; break;
        default: return false;
      }
      const auto named = names == nullptr ? users_.end() : names->find(id);
      const char* name = names == nullptr || named == names->end() ? nullptr : named->second.c_str();
      if (permissions > 7 ||
          ::archive_entry_acl_add_entry(to, type, permissions, to_tag, names == nullptr ? -1 : static_cast<int>(id),
                                        name) != ARCHIVE_OK)
        return false;
    }
    return true;
  }

  void add_flags(const std::string& path, std::uint32_t flags, struct archive_entry* to) {
    ::archive_entry_set_fflags(to, flags, 0);
    // The archive holds them by name: what has none is lost.
    const ArchiveEntry named(::archive_entry_new());
    const char* text = ::archive_entry_fflags_text(to);
    unsigned long set = 0, clear = 0;
    if (text != nullptr) {
      ::archive_entry_copy_fflags_text(named.get(), text);
      ::archive_entry_fflags(named.get(), &set, &clear);
    }
    if (flags & ~set) leave_out(path, fmt::format("flags {:#x}, which tar cannot hold", flags & ~set));
  }

  void add_to_zip(const std::string& path, const Entry& entry) {
    const Metadata& metadata = entry.metadata;
    if (metadata.type == EntryType::socket) return leave_out(path, "a socket, which zip cannot hold");
    if (metadata.type == EntryType::fifo) return leave_out(path, "a FIFO, which zip cannot hold");
    if (metadata.type == EntryType::char_device || metadata.type == EntryType::block_device)
      return leave_out(path, "a device, which zip cannot hold");
    if (!is_utf8(path)) return leave_out(path, "its name is not UTF-8, and zip cannot hold it");
    if (!is_utf8(as_text(metadata.link_target)))
      return leave_out(path, "its target is not UTF-8, and zip cannot hold it");
    // 1980 is where the times of DOS begin, and 2038 where the 32 bits of Unix's end.
    constexpr std::int64_t k1980 = 315'532'800;
    if (metadata.mtime_s < k1980 || metadata.mtime_s > INT32_MAX) leave_out(path, "its time, which zip cannot hold");
    for (const ExtendedAttribute& attribute : metadata.attributes)
      leave_out(path, "attribute " + printable(attribute.name) + ", which zip cannot hold");
    if (metadata.flags != 0) leave_out(path, fmt::format("flags {:#x}, which zip cannot hold", metadata.flags));
    const ArchiveEntry to = basic_entry(path, metadata);
    if (metadata.type != EntryType::file) ::archive_entry_unset_size(to.get());
    write(path, entry, to.get());
  }

  SnapshotTree& tree_;
  ArchiveFormat format_;
  ArchiveWriter& archive_;
  Progress& progress_;
  const std::stop_token& stop_;
  std::map<std::uint32_t, std::string> users_, groups_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> names_;  // first name of files with several
  ExportResult result_;
};

}  // namespace

ExportResult export_archive(SnapshotTree& tree, const std::string& path, ArchiveFormat format, const std::string& output,
                            Progress& progress, std::stop_token stop) {
  const std::string start = normal_path(path);
  const std::optional<Entry> entry = tree.find(start);
  if (!entry) throw Error(ErrorCode::not_found, "the snapshot has no " + printable(start));
  if (start == "/") {
    progress.total_bytes = tree.info().header.totals.bytes;
    const repository::Totals& totals = tree.info().header.totals;
    progress.total_files = totals.files + totals.directories + totals.others;
  }

  const Utf8Locale locale;
  Output file(output);
  ArchiveWriter archive(format, file);
  Exporter exporter(tree, format, archive, progress, stop);
  // "/" itself would become the metadata of whatever directory it is unpacked in.
  if (start != "/") exporter.add(start, *entry);
  tree.walk(start, *entry, [&](const std::string& at, const Entry& below) {
    exporter.add(at, below);
    return SnapshotTree::Descend::yes;
  });
  archive.close();
  file.finish();
  return std::move(exporter).result();
}

}  // namespace qcbak
