#include "cli/wipe_message.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/cbor.h"

namespace qcbak::cli {
namespace {

using cbor::MapReader;
using cbor::Reader;
using cbor::Writer;

constexpr std::size_t kTextLimit = 4U << 10;
constexpr std::size_t kNameLimit = 8;
constexpr std::size_t kPlanLimit = 32U << 10;

// Bytes, since not every text of a disk is UTF-8.
void write_text(Writer& writer, std::string_view text, std::size_t limit = kTextLimit) {
  writer.bytes(as_bytes(text.substr(0, limit)));
}

std::string read_text(Reader& reader, std::size_t limit = kTextLimit) {
  const ByteView bytes = reader.bytes();
  if (bytes.size() > limit) throw Error(ErrorCode::damaged, "a text is too long");
  return to_string(bytes);
}

void write(Writer& writer, const WipeTask& task) {
  writer.array(12).uint(task.medium).bytes(task.order.view());
  for (const std::string* text : {&task.typed, &task.device, &task.journal, &task.requested.serial,
                                  &task.requested.model, &task.requested.vendor})
    write_text(writer, *text);
  write_text(writer, wipe::document(task.plan), kPlanLimit);
  writer.array(2).boolean(task.requested.serial_by_hand).uint(task.requested.size_bytes);
  writer.bytes(task.requested.plan_hash.view()).uint(task.hot_above_c);
}

void read(Reader& reader, WipeTask& task) {
  reader.array_of(12);
  task.medium = reader.uint_at_most(evidence::kDossierMediaLimit);
  task.order = crypto::Sha256(reader.bytes_of(crypto::Sha256::kSize));
  for (std::string* text : {&task.typed, &task.device, &task.journal, &task.requested.serial, &task.requested.model,
                            &task.requested.vendor})
    *text = read_text(reader);
  task.plan = wipe::plan_of(read_text(reader, kPlanLimit));
  reader.array_of(2);
  task.requested.serial_by_hand = reader.boolean();
  task.requested.size_bytes = reader.uint();
  task.requested.plan_hash = crypto::Sha256(reader.bytes_of(crypto::Sha256::kSize));
  task.hot_above_c = reader.uint_at_most(wipe::kHotAboveMost_c);
}

void write_geometry(Writer& writer, const wipe::Geometry& geometry) {
  writer.array(3).uint(geometry.size_bytes).uint(geometry.logical_sector_bytes).uint(geometry.physical_block_bytes);
}

wipe::Geometry read_geometry(Reader& reader) {
  constexpr std::uint32_t kMost = ~std::uint32_t{0};
  reader.array_of(3);
  wipe::Geometry geometry;
  geometry.size_bytes = reader.uint();
  geometry.logical_sector_bytes = static_cast<std::uint32_t>(reader.uint_at_most(kMost));
  geometry.physical_block_bytes = static_cast<std::uint32_t>(reader.uint_at_most(kMost));
  return geometry;
}

void write(Writer& writer, const WipeGo&) { writer.null(); }
void read(Reader& reader, WipeGo&) { reader.null(); }
void write(Writer& writer, const WipeCleared&) { writer.null(); }
void read(Reader& reader, WipeCleared&) { reader.null(); }
void write(Writer& writer, const WipeVerifying&) { writer.null(); }
void read(Reader& reader, WipeVerifying&) { reader.null(); }
void write(Writer& writer, const WipeJournalFile&) { writer.null(); }
void read(Reader& reader, WipeJournalFile&) { reader.null(); }
void write(Writer& writer, const WipeJournalReplaced&) { writer.null(); }
void read(Reader& reader, WipeJournalReplaced&) { reader.null(); }
void write(Writer& writer, const WipeWantsJournalFile&) { writer.null(); }
void read(Reader& reader, WipeWantsJournalFile&) { reader.null(); }
void write(Writer& writer, const WipeWroteJournalFile&) { writer.null(); }
void read(Reader& reader, WipeWroteJournalFile&) { reader.null(); }
void write(Writer& writer, const WipeNote& note) { write_text(writer, note.text); }
void read(Reader& reader, WipeNote& note) { note.text = read_text(reader); }

void write(Writer& writer, const WipeInspected& inspected) {
  writer.array(5);
  write_text(writer, inspected.disk.name);
  write_geometry(writer, inspected.disk.geometry);
  const wipe::Attachment& attachment = inspected.disk.attachment;
  writer.uint(attachment.disk_sequence).boolean(attachment.removable).boolean(attachment.rotational);
}

void read(Reader& reader, WipeInspected& inspected) {
  reader.array_of(5);
  inspected.disk.name = read_text(reader);
  inspected.disk.geometry = read_geometry(reader);
  inspected.disk.attachment.disk_sequence = reader.uint();
  inspected.disk.attachment.removable = reader.boolean();
  inspected.disk.attachment.rotational = reader.boolean();
}

void write(Writer& writer, const WipeMoved& moved) {
  writer.array(3).uint(moved.step).uint(moved.done_bytes).uint(moved.size_bytes);
}

void read(Reader& reader, WipeMoved& moved) {
  reader.array_of(3);
  moved.step = reader.uint_at_most(wipe::kPlanStepLimit);
  moved.done_bytes = reader.uint();
  moved.size_bytes = reader.uint();
}

void write(Writer& writer, const WipeFailed& failed) {
  writer.array(3).uint(static_cast<std::uint64_t>(failed.code));
  write_text(writer, failed.text);
  write_text(writer, failed.hint);
}

void read(Reader& reader, WipeFailed& failed) {
  reader.array_of(3);
  failed.code = static_cast<ErrorCode>(reader.uint_at_most(error_table().size() - 1));
  failed.text = read_text(reader);
  failed.hint = read_text(reader);
}

void write(Writer& writer, const WipeEnded& ended) {
  writer.array(2);
  write_geometry(writer, ended.geometry);
  writer.bytes(wipe::health_bytes(ended.health));
}

void read(Reader& reader, WipeEnded& ended) {
  reader.array_of(2);
  ended.geometry = read_geometry(reader);
  ended.health = wipe::parse_health(reader.bytes());
}

void write(Writer& writer, const WipeActive& active) {
  const wipe::Activity& activity = active.activity;
  writer.array(5).uint(activity.moved_bytes).uint(activity.errors).integer(activity.busy_ns);
  writer.uint(activity.under_way).integer(activity.oldest_ns);
}

void read(Reader& reader, WipeActive& active) {
  reader.array_of(5);
  active.activity.moved_bytes = reader.uint();
  active.activity.errors = reader.uint();
  active.activity.busy_ns = reader.integer();
  active.activity.under_way = static_cast<std::uint32_t>(reader.uint_at_most(~std::uint32_t{0}));
  active.activity.oldest_ns = reader.integer();
}

void write(Writer& writer, const WipeSandboxed& sandboxed) {
  check(sandboxed.names.size() <= kNameLimit, "a sandbox has few parts");
  writer.array(sandboxed.names.size());
  for (const std::string& name : sandboxed.names) write_text(writer, name);
}

void read(Reader& reader, WipeSandboxed& sandboxed) {
  const std::uint64_t count = reader.array();
  if (count > kNameLimit) throw Error(ErrorCode::damaged, "there are too many names");
  for (std::uint64_t i = 0; i < count; ++i) sandboxed.names.push_back(read_text(reader));
}

// The number that a message begins with is its place in the variant.
template <class Message>
Bytes encode_message(const Message& message) {
  Bytes bytes;
  Writer writer(bytes);
  writer.array(2).uint(message.index());
  std::visit([&](const auto& value) { write(writer, value); }, message);
  check(bytes.size() <= kWipeMessageLimit, "a message of a wipe is within its limit");
  return bytes;
}

// Tries the kinds one after the other until the number is that of one.
template <class Message, std::size_t kIndex = 0>
Message read_kind(Reader& reader, std::uint64_t kind) {
  if constexpr (kIndex == std::variant_size_v<Message>) {
    throw Error(ErrorCode::damaged, "a message of a wipe is of no known kind");
  } else {
    if (kind != kIndex) return read_kind<Message, kIndex + 1>(reader, kind);
    std::variant_alternative_t<kIndex, Message> value;
    read(reader, value);
    return value;
  }
}

template <class Message>
Message parse_message(ByteView message) {
  Reader reader(message);
  reader.array_of(2);
  const std::uint64_t kind = reader.uint();
  Message parsed = read_kind<Message>(reader, kind);
  reader.finish();
  return parsed;
}

}  // namespace

Bytes encode(const WipeOrder& order) { return encode_message(order); }
Bytes encode(const WipeReport& report) { return encode_message(report); }
WipeOrder parse_wipe_order(ByteView message) { return parse_message<WipeOrder>(message); }
WipeReport parse_wipe_report(ByteView message) { return parse_message<WipeReport>(message); }

std::pair<WipeChannel, UniqueFd> WipeChannel::pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) throw_errno("make", "a pair of sockets");
  return {WipeChannel(UniqueFd(fds[0])), UniqueFd(fds[1])};
}

void WipeChannel::send(ByteView message) const {
  while (::send(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL) < 0) {
    if (errno == EPIPE || errno == ECONNRESET) return;
    if (errno != EINTR) throw_errno("write to", "the process of a wipe");
  }
}

void WipeChannel::send_if_there_is_room(ByteView message) const {
  // What moved is told again by the next message.
  static_cast<void>(::send(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
}

void WipeChannel::send_with(ByteView message, const UniqueFd& fd) const {
  Bytes copy = to_bytes(message);
  iovec part{copy.data(), copy.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr* const rights = CMSG_FIRSTHDR(&header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  const int number = fd.get();
  std::memcpy(CMSG_DATA(rights), &number, sizeof(number));
  if (::sendmsg(fd_.get(), &header, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
    throw_errno("write to", "the process of a wipe");
}

std::optional<WipePacket> WipeChannel::receive_packet() const { return receive(0); }

std::optional<Bytes> WipeChannel::receive() const {
  std::optional<WipePacket> packet = receive(0);
  return packet ? std::optional(std::move(packet->message)) : std::nullopt;
}

std::optional<Bytes> WipeChannel::receive_if_there() const {
  std::optional<WipePacket> packet = receive(MSG_DONTWAIT);
  return packet ? std::optional(std::move(packet->message)) : std::nullopt;
}

std::optional<WipePacket> WipeChannel::receive(int flags) const {
  WipePacket packet{Bytes(kWipeMessageLimit), UniqueFd()};
  iovec part{packet.message.data(), packet.message.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t size = 0;
  do size = ::recvmsg(fd_.get(), &header, flags | MSG_CMSG_CLOEXEC);
  while (size < 0 && errno == EINTR);
  if (size == 0 || (size < 0 && (errno == EAGAIN || errno == ECONNRESET))) return std::nullopt;
  if (size < 0) throw_errno("read from", "the process of a wipe");
  if (const cmsghdr* rights = CMSG_FIRSTHDR(&header); rights != nullptr && rights->cmsg_type == SCM_RIGHTS) {
    int number = -1;
    std::memcpy(&number, CMSG_DATA(rights), sizeof(number));
    packet.fd = UniqueFd(number);
  }
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
    throw Error(ErrorCode::damaged, "a message of a wipe is too long");
  packet.message.resize(static_cast<std::size_t>(size));
  return packet;
}

void WipeChannel::end_sending() const {
  if (::shutdown(fd_.get(), SHUT_WR) != 0 && errno != ENOTCONN)
    throw_errno("end", "what the process of a wipe is told");
}

void WipeChannel::end_receiving() const {
  if (::shutdown(fd_.get(), SHUT_RD) != 0 && errno != ENOTCONN)
    throw_errno("end", "what the process of a wipe is told");
}

}  // namespace qcbak::cli
