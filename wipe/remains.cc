#include "wipe/remains.h"

#include <algorithm>

namespace qcbak::wipe {
namespace {

constexpr std::size_t kSamples = 256;
constexpr std::size_t kComparedBytes = 512;
// Of so many bytes about two are equal by chance. More than an eighth: they were left, or only touched.
constexpr std::size_t kEqualBytesAllowed = kComparedBytes / 8;

struct Signature {
  const char* name;
  std::string_view bytes;
};
// Long enough not to be met by chance in random bytes; looked for anywhere in what is sampled.
constexpr Signature kSignatures[] = {{"GPT", "EFI PART"},
                                     {"LVM", "LVM2 001"},
                                     {"btrfs", "_BHRfS_M"},
                                     {"LUKS", {"LUKS\xba\xbe", 6}},
                                     {"LUKS", {"SKUL\xba\xbe", 6}},
                                     {"swap", "SWAPSPACE2"},
                                     {"NTFS", "NTFS    "},
                                     {"exFAT", "EXFAT   "},
                                     {"FAT", "FAT32   "},
                                     {"FAT", "FAT16   "},
                                     {"reiserfs", "ReIsEr2Fs"},
                                     {"iso9660", "CD001\x01"},
                                     {"bcachefs", {"\xc6\x85\x73\xf6\x4e\x1a\x45\xca", 8}}};
// Where formats keep copies that the marker of the first block does not overwrite.
constexpr std::uint64_t kSignatureOffsets[] = {16384, 32768, 65536, 4194304, 67108864};

std::uint64_t last_block(const Geometry& geometry) {
  return (geometry.size_bytes - 1) / geometry.physical_block_bytes * geometry.physical_block_bytes;
}

std::size_t block_size(const Geometry& geometry, std::uint64_t offset) {
  return static_cast<std::size_t>(std::min<std::uint64_t>(geometry.physical_block_bytes, geometry.size_bytes - offset));
}

template <class Io>
bool transfer_whole(std::size_t size, Io&& io) {
  for (std::size_t done = 0; done < size;) {
    const Transfer transfer = io(done);
    if (transfer.error != 0 || transfer.done_bytes == 0) return false;
    done += transfer.done_bytes;
  }
  return true;
}

bool read_whole(BlockDevice& device, std::uint64_t offset, MutableByteView into) {
  return transfer_whole(into.size(), [&](std::size_t done) { return device.read(offset + done, into.subspan(done)); });
}

bool write_whole(BlockDevice& device, std::uint64_t offset, ByteView from) {
  return transfer_whole(from.size(), [&](std::size_t done) { return device.write(offset + done, from.subspan(done)); });
}

// Spread over the disk, the first and the last block among them.
std::vector<std::uint64_t> spread_offsets(const Geometry& geometry, std::size_t count) {
  const std::uint64_t blocks = last_block(geometry) / geometry.physical_block_bytes + 1;
  const std::uint64_t wanted = std::min<std::uint64_t>(count, blocks);
  std::vector<std::uint64_t> offsets;
  for (std::uint64_t i = 0; i < wanted; ++i) {
    const std::uint64_t block =
        wanted == 1 ? 0 : (blocks - 1) / (wanted - 1) * i + (blocks - 1) % (wanted - 1) * i / (wanted - 1);
    offsets.push_back(block * geometry.physical_block_bytes);
  }
  return offsets;
}

bool was_left(ByteView expected, ByteView found) {
  for (std::size_t at = 0; at < found.size(); at += kComparedBytes) {
    const std::size_t size = std::min(kComparedBytes, found.size() - at);
    std::size_t equal_bytes = 0;
    for (std::size_t i = at; i < at + size; ++i) equal_bytes += expected[i] == found[i] ? 1 : 0;
    if (equal_bytes > kEqualBytesAllowed) return true;
  }
  return false;
}

class Look {
 public:
  Look(BlockDevice& device, MarkerContent content)
      : device_(device),
        geometry_(device.geometry()),
        content_(std::move(content)),
        expected_(geometry_.physical_block_bytes),
        found_(geometry_.physical_block_bytes) {}

  std::vector<std::uint64_t> write() {
    const std::vector<std::uint64_t> offsets = marker_offsets(geometry_);
    for (const std::uint64_t offset : offsets) {
      const MutableByteView bytes = expected_.span().first(block_size(geometry_, offset));
      content_.fill(offset, bytes);
      write_whole(device_, offset, bytes);  // what did not get there is not read back
    }
    device_.flush();
    std::vector<std::uint64_t> there;
    for (const std::uint64_t offset : offsets)
      if (read(offset) && equal(wanted(offset), found())) there.push_back(offset);
    return there;
  }

  Remains look(const std::vector<std::uint64_t>& offsets) {
    for (const std::uint64_t offset : offsets) take_marker(offset);
    for (const std::uint64_t offset : spread_offsets(geometry_, kSamples)) take_sample(offset);
    for (const std::uint64_t offset : kSignatureOffsets)
      if (offset < geometry_.size_bytes)
        take_signatures(offset / geometry_.physical_block_bytes * geometry_.physical_block_bytes);
    return remains_;
  }

 private:
  bool read(std::uint64_t offset) {
    found_bytes_ = 0;
    if (offset >= geometry_.size_bytes || offset % geometry_.physical_block_bytes != 0) return false;
    const std::size_t size = block_size(geometry_, offset);
    if (!read_whole(device_, offset, found_.span().first(size))) return false;
    found_bytes_ = size;
    return true;
  }
  ByteView found() { return found_.span().first(found_bytes_); }
  ByteView wanted(std::uint64_t offset) {
    const MutableByteView bytes = expected_.span().first(found_bytes_);
    content_.fill(offset, bytes);
    return bytes;
  }

  void take_marker(std::uint64_t offset) {
    if (!read(offset))
      ++remains_.markers_unreadable;
    else if (was_left(wanted(offset), found()))
      ++remains_.markers_unchanged;
    else
      ++remains_.markers_changed;
  }

  void take_sample(std::uint64_t offset) {
    if (!read(offset)) return;
    for (const std::byte byte : found()) ++remains_.histogram[std::to_integer<std::size_t>(byte)];
    remains_.sampled_bytes += found_bytes_;
    note_signatures(offset);
  }

  void take_signatures(std::uint64_t offset) {
    if (read(offset)) note_signatures(offset);
  }

  void note_signatures(std::uint64_t offset) {
    for (const Signature& signature : kSignatures) {
      const std::size_t at = as_text(found()).find(signature.bytes);
      if (at == std::string_view::npos) continue;
      const std::string note = std::string(signature.name) + " at byte " + std::to_string(offset + at);
      std::vector<std::string>& noted = remains_.signatures;
      if (noted.size() < kSignatureLimit && std::ranges::find(noted, note) == noted.end()) noted.push_back(note);
    }
  }

  BlockDevice& device_;
  Geometry geometry_;
  MarkerContent content_;
  PageBuffer expected_;
  PageBuffer found_;
  std::size_t found_bytes_ = 0;
  Remains remains_;
};

crypto::Aes256CtrStream marker_stream(const JobSecret& secret, std::uint32_t attempt) {
  Bytes info = to_bytes(as_bytes("qcbak1 wipe marker"));
  append_le(info, attempt);
  const crypto::SecretBytes key = crypto::hkdf_sha256(secret.view(), {}, info, crypto::StreamKey::kSize);
  return crypto::Aes256CtrStream(crypto::StreamKey(key.view()));
}

}  // namespace

Markers Remains::markers() const {
  if (markers_unchanged > 0) return Markers::unchanged;
  return markers_unreadable == 0 && markers_changed > 0 ? Markers::changed : Markers::unreadable;
}

MarkerContent::MarkerContent(const JobSecret& secret, std::uint32_t attempt)
    : stream_(marker_stream(secret, attempt)) {}

std::vector<std::uint64_t> marker_offsets(const Geometry& geometry) { return spread_offsets(geometry, kMarkerLimit); }

std::vector<std::uint64_t> write_markers(BlockDevice& device, MarkerContent content) {
  return Look(device, std::move(content)).write();
}

Remains look_at_remains(BlockDevice& device, MarkerContent content, const std::vector<std::uint64_t>& offsets) {
  return Look(device, std::move(content)).look(offsets);
}

}  // namespace qcbak::wipe
