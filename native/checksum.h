#pragma once

#include <arpa/inet.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tuntcp {

// The Internet checksum (RFC 1071) over pieces of memory one after the other. Words are added as they
// lie in memory: the sum does not depend on the byte order, except in that its own bytes are swapped.
class InternetSum {
 public:
  void Add(const uint8_t* bytes, size_t length) {
    uint64_t words = 0;
    size_t at = 0;
    for (; at + 4 <= length; at += 4) {
      uint32_t word;
      std::memcpy(&word, bytes + at, 4);
      words += word;
    }
    uint32_t rest = 0;
    std::memcpy(&rest, bytes + at, length - at);
    uint16_t piece = Fold(words + rest);
    // After an odd number of bytes, the two of each word have changed places.
    sum_ += odd_ ? static_cast<uint16_t>(piece << 8 | piece >> 8) : piece;
    odd_ ^= (length & 1) != 0;
  }

  // A number in host byte order, as a 16-bit word.
  void AddWord(uint16_t word) { sum_ += htons(word); }

  // 16 bits as they lie in memory, not complemented.
  uint16_t Folded() const { return Fold(sum_); }

 private:
  static uint16_t Fold(uint64_t sum) {
    while (sum >> 16 != 0) sum = (sum >> 16) + (sum & 0xffff);
    return static_cast<uint16_t>(sum);
  }

  uint64_t sum_ = 0;
  bool odd_ = false;
};

// Where TCP lies in an IPv4 packet; `length` is 0 when it is no whole packet of TCP.
struct TcpPlace {
  size_t offset = 0;
  size_t length = 0;
};

// `available` bytes at `packet` are there to be read, of a packet that has `size` bytes in all.
inline TcpPlace FindTcp(const uint8_t* packet, size_t available, size_t size) {
  constexpr size_t kIpHeader = 20, kTcpHeader = 20;
  TcpPlace place;
  if (available < kIpHeader || packet[0] >> 4 != 4 || packet[9] != IPPROTO_TCP) return place;
  size_t header = static_cast<size_t>(packet[0] & 15) * 4;
  size_t total = static_cast<size_t>(packet[2]) << 8 | packet[3];
  bool fragment = (packet[6] & 0x3f) != 0 || packet[7] != 0;
  if (fragment || header < kIpHeader || header + kTcpHeader > available || total > size ||
      total < header + kTcpHeader) {
    return place;
  }
  place.offset = header;
  place.length = total - header;
  return place;
}

inline void AddPseudoHeader(InternetSum* sum, const uint8_t* packet, size_t length) {
  sum->Add(packet + 12, 8);
  sum->AddWord(IPPROTO_TCP);
  sum->AddWord(static_cast<uint16_t>(length));
}

// True for a whole packet of TCP whose checksum is right.
inline bool TcpChecksumRight(const uint8_t* packet, size_t size) {
  TcpPlace tcp = FindTcp(packet, size, size);
  if (tcp.length == 0) return false;
  InternetSum sum;
  AddPseudoHeader(&sum, packet, tcp.length);
  sum.Add(packet + tcp.offset, tcp.length);
  return sum.Folded() == 0xffff;
}

// Completes a TCP checksum that is the sum of the pseudo-header; leaves every other packet as it is.
// The headers lie in the first piece.
inline void CompleteTcpChecksum(const iovec* pieces, size_t count) {
  constexpr size_t kChecksum = 16;
  if (count == 0) return;
  size_t size = 0;
  for (size_t i = 0; i < count; i++) size += pieces[i].iov_len;
  auto* packet = static_cast<uint8_t*>(pieces[0].iov_base);
  TcpPlace tcp = FindTcp(packet, pieces[0].iov_len, size);
  if (tcp.length == 0 || tcp.offset + tcp.length != size) return;
  InternetSum sum;
  AddPseudoHeader(&sum, packet, tcp.length);
  uint8_t* field = packet + tcp.offset + kChecksum;
  uint16_t value = sum.Folded();
  if (std::memcmp(field, &value, sizeof value) != 0) return;
  std::memset(field, 0, sizeof value);
  sum.Add(packet + tcp.offset, pieces[0].iov_len - tcp.offset);
  for (size_t i = 1; i < count; i++) {
    sum.Add(static_cast<const uint8_t*>(pieces[i].iov_base), pieces[i].iov_len);
  }
  value = static_cast<uint16_t>(~sum.Folded());
  std::memcpy(field, &value, sizeof value);
}

}  // namespace tuntcp
