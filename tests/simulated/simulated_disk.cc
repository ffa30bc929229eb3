#include "tests/simulated/simulated_disk.h"

#include <algorithm>
#include <random>

#include "base/error.h"

namespace qcbak::simulated {
namespace {

using wipe::Transfer;

std::uint64_t block_of(std::uint64_t offset) { return offset / kBlockBytes; }

// To the end of the block, or of the request.
std::size_t piece_size(std::uint64_t offset, std::size_t left) {
  return std::min<std::size_t>(left, kBlockBytes - offset % kBlockBytes);
}

void place(Bytes& on, std::uint64_t offset, ByteView bytes) {
  std::ranges::copy(bytes, on.begin() + static_cast<std::ptrdiff_t>(offset));
}

ByteView part_of(const Bytes& bytes, std::uint64_t offset, std::size_t size) {
  return ByteView(bytes).subspan(offset, size);
}

void check_request(std::uint64_t offset, std::size_t size, std::uint64_t disk_bytes) {
  check(offset % kSectorBytes == 0 && size % kSectorBytes == 0 && size > 0, "a request is of whole sectors");
  check(offset <= disk_bytes && size <= disk_bytes - offset, "a request lies within the disk");
}

// The sectors of an unflushed write that reached the medium.
void land(Bytes& durable, std::uint64_t offset, ByteView bytes, std::mt19937_64& random) {
  const std::uint64_t fate = random() % 3;
  if (fate == 0) return;
  for (std::size_t at = 0; at < bytes.size(); at += kSectorBytes)
    if (fate == 1 || random() % 2 == 0) place(durable, offset + at, bytes.subspan(at, kSectorBytes));
}

}  // namespace

Disk::Disk(std::uint64_t size_bytes) { resize(size_bytes); }

void Disk::resize(std::uint64_t size_bytes) {
  check(size_bytes % kSectorBytes == 0, "a disk has whole sectors");
  auto state = state_.lock();
  state->visible.resize(size_bytes);
  state->durable.resize(size_bytes);
}

void Disk::power_loss(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  auto state = state_.lock();
  for (const Write& write : state->pending) land(state->durable, write.offset, write.bytes, random);
  state->pending.clear();
  state->visible = state->durable;
  ++state->power_losses;
  if (firmware_ == nullptr) return;
  state.lock().unlock();  // it may go on erasing
  firmware_->power_cycled();
}

void Disk::fail_reading(std::uint64_t block, int errno_value, Healing healing) {
  state_.lock()->unreadable[block] = {errno_value, healing};
}
void Disk::fail_writing(std::uint64_t block, int errno_value) { state_.lock()->unwritable[block] = errno_value; }
void Disk::repair(std::uint64_t block) {
  auto state = state_.lock();
  state->unreadable.erase(block);
  state->unwritable.erase(block);
  state->dropping.erase(block);
}
void Disk::drop_writes(std::uint64_t block) { state_.lock()->dropping[block] = true; }
void Disk::fail_flushes(int errno_value) { state_.lock()->flush_error = errno_value; }
void Disk::ignore_flushes() { state_.lock()->ignores_flushes = true; }
void Disk::transfer_at_most(std::size_t bytes) { state_.lock()->transfer_limit = bytes; }
void Disk::wrap_at(std::uint64_t real_bytes) { state_.lock()->wraps_at = real_bytes; }
void Disk::keep_old_cells(std::size_t cells) { state_.lock()->old_cell_limit = cells; }

void Disk::plant(std::uint64_t offset, ByteView bytes) {
  auto state = state_.lock();
  place(state->visible, offset, bytes);
  place(state->durable, offset, bytes);
}

Bytes Disk::content() const {
  auto state = state_.lock();
  Bytes seen = state->visible;
  for (std::uint64_t at = 0; at < seen.size(); at += kSectorBytes)
    place(seen, at, part_of(state->visible, state->real(at), kSectorBytes));
  return seen;
}

void Disk::fail_discarding(int errno_value) { state_.lock()->discard_error = errno_value; }

void Disk::refuse_transfers(int errno_value) { state_.lock()->transfer_error = errno_value; }

void Disk::erase(std::uint64_t offset, ByteView bytes) {
  auto state = state_.lock();
  place(state->visible, offset, bytes);
  place(state->durable, offset, bytes);
  state->pending.clear();
}

void Disk::erase_old_cells() { state_.lock()->old_cells.clear(); }

void Disk::show(std::uint64_t bytes) {
  check(bytes <= real_size_bytes(), "a disk shows no more than it has");
  state_.lock()->shown_bytes = bytes;
}

bool Disk::old_cells_hold(ByteView needle) const {
  auto state = state_.lock();
  return std::ranges::any_of(state->old_cells, [&](const Bytes& cell) {
    return std::search(cell.begin(), cell.end(), needle.begin(), needle.end()) != cell.end();
  });
}

std::uint64_t Disk::size_bytes() const {
  auto state = state_.lock();
  return state->shown_bytes.value_or(state->visible.size());
}

std::uint64_t Disk::real_size_bytes() const { return state_.lock()->visible.size(); }

Transfer Disk::State::read(std::uint64_t offset, MutableByteView into) const {
  if (transfer_error != 0) return {0, transfer_error};
  std::size_t done = 0;
  while (done < into.size()) {
    const std::uint64_t at = real(offset + done);
    if (const auto fault = unreadable.find(block_of(at)); fault != unreadable.end()) return {done, fault->second.error};
    if (done >= transfer_limit) break;
    const std::size_t size = piece_size(at, into.size() - done);
    std::ranges::copy(part_of(visible, at, size), into.begin() + static_cast<std::ptrdiff_t>(done));
    done += size;
  }
  return {done, 0};
}

Transfer Disk::State::write(std::uint64_t offset, ByteView from) {
  if (transfer_error != 0) return {0, transfer_error};
  std::size_t done = 0;
  while (done < from.size()) {
    const std::uint64_t at = real(offset + done);
    if (const auto fault = unwritable.find(block_of(at)); fault != unwritable.end()) return {done, fault->second};
    if (done >= transfer_limit) break;
    const std::size_t size = piece_size(at, from.size() - done);
    write_piece(at, from.subspan(done, size));
    done += size;
  }
  return {done, 0};
}

void Disk::State::write_piece(std::uint64_t offset, ByteView piece) {
  if (dropping.contains(block_of(offset))) return;
  const auto fault = unreadable.find(block_of(offset));
  if (fault != unreadable.end() && fault->second.healing == Healing::by_writing) unreadable.erase(fault);
  retire_cell(offset, piece.size());
  place(visible, offset, piece);
  pending.push_back({offset, to_bytes(piece)});
}

void Disk::State::retire_cell(std::uint64_t offset, std::size_t size) {
  if (old_cell_limit == 0) return;
  if (old_cells.size() == old_cell_limit) old_cells.erase(old_cells.begin());
  old_cells.push_back(to_bytes(part_of(visible, offset, size)));
}

void Disk::State::flush() {
  if (flush_error != 0) throw_errno("flush", "simulated disk", flush_error);
  if (ignores_flushes) return;
  for (const Write& write : pending) place(durable, write.offset, write.bytes);
  pending.clear();
}

SimulatedDisk::SimulatedDisk(Disk& disk) : disk_(disk), power_losses_(disk.state_.lock()->power_losses) {}

void SimulatedDisk::lose_power_at(std::uint64_t nth) {
  auto script = script_.lock();
  script->dies_at = script->counters.writes_and_flushes + nth;
}

void SimulatedDisk::lose_power_at_command(std::uint64_t nth, Moment moment) {
  auto script = script_.lock();
  script->dies_at_command = script->counters.commands + nth;
  script->moment = moment;
}

void SimulatedDisk::delay_request(std::uint64_t nth, tests::ManualClock& clock, std::int64_t ns) {
  auto script = script_.lock();
  script->delays[script->counters.requests + nth] = {&clock, ns};
}

void SimulatedDisk::begin_request(std::uint64_t offset, std::size_t size) {
  check_request(offset, size, disk_.size_bytes());
  if (hook_) hook_(offset, size);
  auto script = script_.lock();
  if (script->dead) throw PowerLost();
  const auto delay = script->delays.find(++script->counters.requests);
  if (delay != script->delays.end()) delay->second.clock->advance(delay->second.ns);
}

bool SimulatedDisk::dies_now() {
  auto script = script_.lock();
  if (script->dead) throw PowerLost();
  script->dead = ++script->counters.writes_and_flushes == script->dies_at;
  return script->dead;
}

wipe::CommandResult SimulatedDisk::send(const wipe::CommandRequest& request) {
  enter();
  auto script = script_.lock();
  if (script->dead) throw PowerLost();
  script->dead = ++script->counters.commands == script->dies_at_command;
  if (script->dead && script->moment == Moment::before) throw PowerLost();
  wipe::CommandResult result = disk_.firmware_->execute(request);
  if (script->dead) throw PowerLost();
  return result;
}

Guarded<Disk::State>::Access SimulatedDisk::enter() {
  auto state = disk_.state_.lock();
  if (state->power_losses != power_losses_) throw PowerLost();
  return state;
}

Transfer SimulatedDisk::read(std::uint64_t offset, MutableByteView into) {
  begin_request(offset, into.size());
  const Transfer done = enter()->read(offset, into);
  script_.lock()->counters.bytes_read += done.done_bytes;
  return done;
}

Transfer SimulatedDisk::write(std::uint64_t offset, ByteView from) {
  begin_request(offset, from.size());
  const bool dies = dies_now();
  const Transfer done = enter()->write(offset, from);
  if (dies) throw PowerLost();
  script_.lock()->counters.bytes_written += done.done_bytes;
  return done;
}

void SimulatedDisk::flush() {
  if (dies_now()) throw PowerLost();
  enter()->flush();
}

int SimulatedDisk::discard() {
  if (dies_now()) throw PowerLost();
  if (const int error = enter()->discard_error; error != 0) return error;
  disk_.erase(0, Bytes(disk_.size_bytes()));
  return 0;
}

}  // namespace qcbak::simulated
