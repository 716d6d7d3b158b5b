/*
 * Requests and responses of the same size, one at a time on each connection.
 * usage: rr-peer ADDRESS PORT CONNECTIONS SIZE SECONDS; prints transactions per second, and the
 * 50th, 99th and 99.9th percentile of their latency in microseconds.
 */
#include "peer.h"

#define MAX_CONNECTIONS 4096
/* Buckets of a histogram: 64 to each power of two of nanoseconds, so within 1.6 %. */
#define SUB_BITS 6
static uint32_t histogram[64 << SUB_BITS];
static struct {
  int fd;
  int got;
  int64_t sent;
} peers[MAX_CONNECTIONS];
static char request[1 << 16], response[1 << 16];

static int bucket_of(int64_t ns) {
  if (ns < (1 << SUB_BITS)) return ns < 0 ? 0 : (int)ns;
  int shift = 63 - __builtin_clzll((uint64_t)ns) - SUB_BITS;
  return ((shift + 1) << SUB_BITS) + (int)((ns >> shift) & ((1 << SUB_BITS) - 1));
}

static double middle_of(int bucket) {
  int shift = (bucket >> SUB_BITS) - 1;
  if (shift < 0) return bucket;
  int64_t low = ((int64_t)(1 << SUB_BITS) + (bucket & ((1 << SUB_BITS) - 1))) << shift;
  return (double)low + (double)((int64_t)1 << shift) / 2;
}

static double percentile(int64_t count, double part) {
  int64_t rank = (int64_t)((double)count * part), seen = 0;
  for (int i = 0; i < (int)(sizeof histogram / sizeof *histogram); i++) {
    seen += histogram[i];
    if (seen > rank) return middle_of(i) / 1000;
  }
  return 0;
}

static int ask(int index, int size) {
  peers[index].got = 0;
  peers[index].sent = now_ns();
  return write(peers[index].fd, request, (size_t)size) == size ? 0 : -1;
}

int main(int argc, char **argv) {
  struct sockaddr_in address;
  if (argc != 6 || !parse_address(argv[1], argv[2], &address)) return 2;
  int connections = atoi(argv[3]), size = atoi(argv[4]);
  if (connections < 1 || connections > MAX_CONNECTIONS || size < 1 || size > (int)sizeof request) return 2;
  int epoll = epoll_create1(0);
  for (int i = 0; i < connections; i++) {
    int fd = peers[i].fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) return fail("connect");
    no_delay(fd);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }
  int64_t start = now_ns(), end = start + (int64_t)(atof(argv[5]) * 1e9), count = 0, at = start;
  for (int i = 0; i < connections; i++)
    if (ask(i, size) != 0) return fail("write");
  while (at < end) {
    struct epoll_event events[256];
    int ready = epoll_wait(epoll, events, 256, 1000);
    for (int i = 0; i < ready; i++) {
      int peer = (int)events[i].data.u32;
      ssize_t n = read(peers[peer].fd, response, (size_t)(size - peers[peer].got));
      if (n <= 0) return fail("read");
      if ((peers[peer].got += (int)n) < size) continue;
      histogram[bucket_of(now_ns() - peers[peer].sent)]++;
      count++;
      if (ask(peer, size) != 0) return fail("write");
    }
    at = now_ns();
  }
  double seconds = (double)(at - start) / 1e9;
  printf("%.1f %.2f %.2f %.2f\n", (double)count / seconds, percentile(count, 0.5),
         percentile(count, 0.99), percentile(count, 0.999));
  return 0;
}
