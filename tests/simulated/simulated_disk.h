// The simulated twin of wipe/block_device.h: a disk in memory that has bad blocks, a volatile cache, less room than it says,
// cells that nobody can address, and firmware that lies, as a test tells it to.
//
//   Disk disk(1 << 20);
//   for (std::uint64_t nth = 1;; ++nth) {               // a crash at every write and flush there is
//     SimulatedDisk process(disk);
//     process.lose_power_at(nth);
//     try { client(process); break; } catch (const PowerLost&) { disk.power_loss(seed); }
//   }
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "base/guarded.h"
#include "tests/simulated/power_lost.h"
#include "tests/support/seeded_random.h"
#include "wipe/block_device.h"
#include "wipe/command_channel.h"

namespace qcbak::simulated {

inline constexpr std::uint32_t kSectorBytes = 512;
inline constexpr std::uint32_t kBlockBytes = 4096;

enum class Healing { never, by_writing };

// What answers a disk's commands: simulated_firmware.h. Not thread-safe.
class Firmware {
 public:
  virtual ~Firmware() = default;
  virtual wipe::CommandSet command_set() const = 0;
  virtual wipe::CommandResult execute(const wipe::CommandRequest& request) = 0;
  virtual void power_cycled() = 0;
};

// What several handles share, and what stays when the power goes. Outlives its handles. Thread-safe. Faults are of whole
// physical blocks, by number.
class Disk {
 public:
  explicit Disk(std::uint64_t size_bytes);  // of zeros

  // Everything that was not flushed lands wholly, in part or not at all, a sector at a time.
  void power_loss(std::uint64_t seed);

  void fail_reading(std::uint64_t block, int errno_value, Healing healing);
  void fail_writing(std::uint64_t block, int errno_value);
  void repair(std::uint64_t block);
  void drop_writes(std::uint64_t block);     // acknowledged, and nothing happens
  void fail_flushes(int errno_value);        // 0: no more
  void ignore_flushes();                     // acknowledged; the cache stays volatile
  void transfer_at_most(std::size_t bytes);  // in one request
  void wrap_at(std::uint64_t real_bytes);    // addresses beyond are those from the beginning
  // Every write of a block takes another cell; the last `cells` that were left keep what they held.
  void keep_old_cells(std::size_t cells);

  void fail_discarding(int errno_value);   // 0: it reads as zeros afterwards
  void refuse_transfers(int errno_value);  // all of them; 0: no more
  // Its own erasure: durable at once, wherever it lies.
  void erase(std::uint64_t offset, ByteView bytes);
  void erase_old_cells();
  // The system sees so much of it; content() has the rest too.
  void show(std::uint64_t bytes);
  void attach(Firmware& firmware) { firmware_ = &firmware; }  // outlives the handles; before there are any

  wipe::Identity& identity() { return identity_; }  // before threads have handles
  wipe::Usage& usage() { return usage_; }
  void resize(std::uint64_t size_bytes);

  void plant(std::uint64_t offset, ByteView bytes);  // durable at once
  Bytes content() const;                             // as a reader sees it
  bool old_cells_hold(ByteView needle) const;
  std::uint64_t size_bytes() const;  // that is seen
  std::uint64_t real_size_bytes() const;

 private:
  friend class SimulatedDisk;
  struct ReadFault {
    int error;
    Healing healing;
  };
  struct Write {
    std::uint64_t offset;
    Bytes bytes;
  };
  struct State {
    Bytes visible;
    Bytes durable;
    std::vector<Write> pending;  // in order
    std::map<std::uint64_t, ReadFault> unreadable;
    std::map<std::uint64_t, int> unwritable;
    std::map<std::uint64_t, bool> dropping;
    std::size_t transfer_limit = ~std::size_t{0};
    std::optional<std::uint64_t> wraps_at;
    std::size_t old_cell_limit = 0;
    std::vector<Bytes> old_cells;
    int flush_error = 0;
    bool ignores_flushes = false;
    int transfer_error = 0;
    int discard_error = 0;
    std::optional<std::uint64_t> shown_bytes;
    std::uint64_t power_losses = 0;

    std::uint64_t real(std::uint64_t offset) const { return wraps_at ? offset % *wraps_at : offset; }
    wipe::Transfer read(std::uint64_t offset, MutableByteView into) const;
    wipe::Transfer write(std::uint64_t offset, ByteView from);
    void write_piece(std::uint64_t offset, ByteView piece);
    void retire_cell(std::uint64_t offset, std::size_t size);
    void flush();
  };
  wipe::Identity identity_{"ACME", "Simulated", "SIM0123456789", "1.0", "naa.5000c500a1b2c3d4"};
  wipe::Usage usage_;
  Firmware* firmware_ = nullptr;
  mutable Guarded<State> state_;
};

enum class Moment { before, after };  // of what the disk does

// One process's use of a disk.
class SimulatedDisk final : public wipe::BlockDevice {
 public:
  explicit SimulatedDisk(Disk& disk);

  // Counted from now, writes and flushes together: 1 is the next. A write that dies is in the cache already; a flush that
  // dies did nothing. The rest of the handle's life is PowerLost. Without Disk::power_loss() after it, it is a kill.
  void lose_power_at(std::uint64_t nth);
  // Counted from now; before: the command never reaches the disk, after: its answer never comes back.
  void lose_power_at_command(std::uint64_t nth, Moment moment);
  // The nth read or write from now takes this long.
  void delay_request(std::uint64_t nth, tests::ManualClock& clock, std::int64_t ns);
  // Runs before every read and write, with no lock held. Set before use.
  void before_requests(std::function<void(std::uint64_t offset, std::size_t size)> hook) { hook_ = std::move(hook); }

  struct Counters {
    std::uint64_t writes_and_flushes = 0;
    std::uint64_t requests = 0;  // reads and writes
    std::uint64_t bytes_read = 0;
    std::uint64_t bytes_written = 0;
    std::uint64_t commands = 0;
  };
  Counters counters() const { return script_.lock()->counters; }

  std::string name() const override { return "simulated disk"; }
  wipe::Identity identity() const override { return disk_.identity_; }
  wipe::Geometry geometry() const override { return {disk_.size_bytes(), kSectorBytes, kBlockBytes}; }
  wipe::Usage usage() const override { return disk_.usage_; }
  wipe::Transfer read(std::uint64_t offset, MutableByteView into) override;
  wipe::Transfer write(std::uint64_t offset, ByteView from) override;
  void flush() override;
  int discard() override;
  wipe::CommandChannel* commands() override { return disk_.firmware_ == nullptr ? nullptr : &channel_; }

 private:
  class Channel final : public wipe::CommandChannel {
   public:
    explicit Channel(SimulatedDisk& handle) : handle_(handle) {}
    wipe::CommandSet command_set() const override { return handle_.disk_.firmware_->command_set(); }
    std::uint32_t nvme_namespace() const override { return command_set() == wipe::CommandSet::nvme ? 1 : 0; }
    wipe::CommandResult send(const wipe::CommandRequest& request) override { return handle_.send(request); }
    void rescan() override {}  // what is seen is asked anew every time

   private:
    SimulatedDisk& handle_;
  };

  struct Delay {
    tests::ManualClock* clock;
    std::int64_t ns;
  };
  struct Script {
    Counters counters;
    std::uint64_t dies_at = 0;  // 0: never
    bool dead = false;
    std::uint64_t dies_at_command = 0;  // 0: never
    Moment moment = Moment::before;
    std::map<std::uint64_t, Delay> delays;
  };

  void begin_request(std::uint64_t offset, std::size_t size);
  bool dies_now();
  wipe::CommandResult send(const wipe::CommandRequest& request);
  Guarded<Disk::State>::Access enter();

  Disk& disk_;
  std::uint64_t power_losses_;  // when opened
  std::function<void(std::uint64_t, std::size_t)> hook_;
  mutable Guarded<Script> script_;
  Channel channel_{*this};
};

}  // namespace qcbak::simulated
