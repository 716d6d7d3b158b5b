#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace tuntcp {

// Decides when to go on looking for packets instead of sleeping: being woken takes the kernel about as
// long as a client takes to send its next request. Times are ns on the clock of uv_hrtime().
class BusyPoll {
 public:
  // How long to look; 0: never.
  void SetLimit(uint64_t limit) { limit_ = limit; }

  void Arrived(uint64_t now, size_t packets) {
    bool soon = packets <= kFewPackets && now - answered_at_ < limit_;
    close_ = soon ? std::min(close_ + 1, kCloseInARow) : 0;
    if (looking_ && soon) misses_ = 0;
    looking_ = false;
  }

  // The application has seen the packets. True: look for the next.
  bool Answered(uint64_t now) {
    answered_at_ = now;
    // Packets come one at a time, soon after the answer to the one before.
    if (close_ < kCloseInARow) return false;
    if (pause_ > 0) {
      pause_--;
      return false;
    }
    looking_ = true;
    return true;
  }

  // True when nothing came within the limit; the next tries are then ever rarer, since the peer may be
  // waiting for the very core that looks.
  bool GivesUp(uint64_t now) {
    if (now - answered_at_ < limit_) return false;
    looking_ = false;
    misses_ = std::min(misses_ + 1, kMostMisses);
    pause_ = 1u << misses_;
    return true;
  }

 private:
  // More are work enough for a wake-up.
  static constexpr size_t kFewPackets = 2;
  static constexpr uint32_t kCloseInARow = 8;
  static constexpr uint32_t kMostMisses = 10;

  uint64_t limit_ = 0;
  uint64_t answered_at_ = 0;
  uint32_t close_ = 0;
  uint32_t misses_ = 0;
  uint32_t pause_ = 0;
  bool looking_ = false;
};

}  // namespace tuntcp
