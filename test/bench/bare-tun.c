/*
 * The least that carries a TCP bulk transfer over a TUN device without offload: what it carries is what
 * the device and the kernel at the other end allow. usage: bare-tun MTU, as a child of `scripts/bench`
 * like `server.mjs`: on the IPC channel, a line of JSON each, it names its device and answers how much
 * CPU it has taken; it ends with the channel.
 *
 * One connection at a time. Port 9 takes text in order and acknowledges once per wake-up; port 19 sends
 * full segments of zeros within the peer's window, one write each. No checksum is verified, no text
 * copied, nothing taken out of order; after a stall it sends again from what is acknowledged.
 */
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "peer.h"

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
enum { DISCARD = 9, SOURCE = 19 };
enum { IP_HEADER = 20, HEADERS = 40, SYN_OPTIONS = 8, BATCH = 256, STALL_MS = 20 };
/* 1 MiB: less than the queue of the device holds, so that nothing is lost. */
enum { WINDOW = 65535, WINDOW_SHIFT = 4 };

static int tun, channel;
static uint8_t in[65536], out[65536];
static uint32_t mss;
static struct {
  int open, port, shift;
  uint32_t snd_una, snd_nxt, snd_wnd, rcv_nxt;
} connection;

static uint32_t get16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }
static uint32_t get32(const uint8_t *p) { return get16(p) << 16 | get16(p + 2); }
static void put16(uint8_t *p, uint32_t v) { p[0] = (uint8_t)(v >> 8), p[1] = (uint8_t)v; }
static void put32(uint8_t *p, uint32_t v) { put16(p, v >> 16), put16(p + 2, v & 0xffff); }

static void put_checksum(uint8_t *at, const uint8_t *from, int length, uint32_t sum) {
  put16(at, 0);
  for (int i = 0; i < length; i += 2) sum += get16(from + i);
  sum = (sum >> 16) + (sum & 0xffff);
  put16(at, ~((sum >> 16) + sum) & 0xffff);
}

/* Text is zeros, which leave the checksum alone: headers and addresses make it up. */
static int transmit(uint32_t flags, uint32_t seq, uint32_t options, uint32_t length) {
  uint8_t *tcp = out + IP_HEADER;
  put16(out + 2, HEADERS + options + length);
  put_checksum(out + 10, out, IP_HEADER, 0);
  put32(tcp + 4, seq);
  put32(tcp + 8, connection.rcv_nxt);
  put16(tcp + 12, (20 + options) << 10 | flags);
  put_checksum(tcp + 16, out + 12, 8 + 20 + (int)options, IPPROTO_TCP + 20 + options + length);
  return write(tun, out, HEADERS + options + length) > 0;
}

/* Also prepares the headers of all that is sent from now on. */
static void accept_syn(const uint8_t *ip, const uint8_t *tcp) {
  const uint8_t *end = tcp + (tcp[12] >> 4) * 4;
  connection.open = 1;
  connection.port = (int)get16(tcp + 2);
  connection.rcv_nxt = get32(tcp + 4) + 1;
  connection.snd_una = connection.snd_nxt = 1;
  connection.snd_wnd = 0;
  for (const uint8_t *p = tcp + 20; p < end && *p != 0; p += *p == 1 ? 1 : p[1]) {
    if (*p == 3) connection.shift = p[2];
  }
  memset(out, 0, sizeof out);
  out[0] = 0x45;
  put16(out + 6, 0x4000);
  out[8] = 64;
  out[9] = IPPROTO_TCP;
  memcpy(out + 12, ip + 16, 4);
  memcpy(out + 16, ip + 12, 4);
  memcpy(out + 20, tcp + 2, 2);
  memcpy(out + 22, tcp, 2);
  put16(out + 34, WINDOW);
  put32(out + HEADERS, 0x02040000 | mss);
  put32(out + HEADERS + 4, 0x01030300 | WINDOW_SHIFT);
  transmit(SYN | ACK, 0, SYN_OPTIONS, 0);
  memset(out + HEADERS, 0, SYN_OPTIONS);
}

/* True when it is to be acknowledged. */
static int arrives(ssize_t n) {
  const uint8_t *ip = in, *tcp = in + (in[0] & 15) * 4;
  if (n < HEADERS || in[0] >> 4 != 4 || in[9] != IPPROTO_TCP) return 0;
  int flags = tcp[13], port = (int)get16(tcp + 2);
  if (flags == SYN && (port == DISCARD || port == SOURCE)) return accept_syn(ip, tcp), 0;
  if (!connection.open || memcmp(out + 20, tcp + 2, 2) != 0 || memcmp(out + 22, tcp, 2) != 0) return 0;
  if (flags & RST) return connection.open = 0;
  uint32_t ack = get32(tcp + 8), length = get16(ip + 2) - (uint32_t)(tcp - ip) - (tcp[12] >> 4) * 4;
  if ((int32_t)(ack - connection.snd_una) >= 0) {
    connection.snd_una = ack;
    if ((int32_t)(ack - connection.snd_nxt) > 0) connection.snd_nxt = ack;
    connection.snd_wnd = get16(tcp + 14) << connection.shift;
  }
  if (get32(tcp + 4) != connection.rcv_nxt) return 1;
  connection.rcv_nxt += length;
  if (!(flags & FIN)) return length > 0;
  connection.rcv_nxt++;
  transmit(FIN | ACK, connection.snd_nxt, 0, 0);
  return connection.open = 0;
}

static int receive(void) {
  int due = 0;
  for (int i = 0; i < BATCH; i++) {
    ssize_t n = read(tun, in, sizeof in);
    if (n < 0) break;
    due |= arrives(n);
  }
  if (due && connection.open) transmit(ACK, connection.snd_nxt, 0, 0);
  return due;
}

static int window_open(void) {
  return connection.open && connection.port == SOURCE &&
         connection.snd_nxt - connection.snd_una + mss <= connection.snd_wnd;
}

static void send_text(void) {
  for (int i = 0; i < BATCH && window_open(); i++) {
    if (!transmit(ACK, connection.snd_nxt, 0, mss)) break;
    connection.snd_nxt += mss;
  }
}

/* False when the parent is gone. */
static int answer(void) {
  char question[256], text[256];
  ssize_t n = read(channel, question, sizeof question - 1);
  if (n <= 0) return 0;
  question[n] = 0;
  const char *id = strstr(question, "\"id\":");
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  n = snprintf(text, sizeof text, "{\"id\":%d,\"answer\":{\"user\":%lld,\"system\":%lld}}\n",
               id == NULL ? 0 : atoi(id + 5), u.ru_utime.tv_sec * 1000000LL + u.ru_utime.tv_usec,
               u.ru_stime.tv_sec * 1000000LL + u.ru_stime.tv_usec);
  return write(channel, text, (size_t)n) == n;
}

int main(int argc, char **argv) {
  const char *ipc = getenv("NODE_CHANNEL_FD");
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  if (argc != 2 || ipc == NULL) return 2;
  mss = (uint32_t)atoi(argv[1]) - HEADERS;
  channel = atoi(ipc);
  tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  if (tun < 0 || ioctl(tun, TUNSETIFF, &request) != 0) return fail("/dev/net/tun");
  dprintf(channel, "{\"device\":\"%s\"}\n", request.ifr_name);
  struct pollfd fds[] = {{.fd = tun, .events = POLLIN}, {.fd = channel, .events = POLLIN}};
  for (;;) {
    int ready = poll(fds, 2, window_open() ? 0 : STALL_MS);
    if (ready < 0) return fail("poll");
    if (ready == 0 && !window_open()) connection.snd_nxt = connection.snd_una;
    if (fds[1].revents != 0 && !answer()) return 0;
    if (fds[0].revents != 0) receive();
    send_text();
  }
}
