/*
 * Opens connections and waits until the server, which has nothing to say, closes them; then closes too.
 * usage: connect-peer ADDRESS PORT AT_A_TIME SOURCES SECONDS; prints connections per second.
 */
#include "peer.h"

static struct sockaddr_in address;
static int sources, epoll, opened;

static int open_one(void) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0) return fail("socket");
  if (bind_source(fd, &address, sources, opened++) != 0) return fail("bind");
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS)
    return fail("connect");
  struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = fd};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 6 || !parse_address(argv[1], argv[2], &address)) return 2;
  int wanted = atoi(argv[3]);
  sources = atoi(argv[4]);
  epoll = epoll_create1(0);
  int64_t start = now_ns(), end = start + (int64_t)(atof(argv[5]) * 1e9), count = 0;
  for (int i = 0; i < wanted; i++)
    if (open_one() != 0) return 1;
  while (now_ns() < end) {
    struct epoll_event events[256];
    int ready = epoll_wait(epoll, events, 256, 1000);
    if (ready == 0) {
      fprintf(stderr, "nothing happens after %lld connections\n", (long long)count);
      return 1;
    }
    for (int i = 0; i < ready; i++) {
      char byte;
      if (read(events[i].data.fd, &byte, 1) != 0) return fail("read");
      close(events[i].data.fd);
      count++;
      if (open_one() != 0) return 1;
    }
  }
  printf("%.1f\n", (double)count / ((double)(now_ns() - start) / 1e9));
  return 0;
}
