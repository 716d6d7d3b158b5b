/*
 * Opens connections and holds them, without a byte. usage: idle-peer ADDRESS PORT COUNT SOURCES;
 * prints `open` when all are there, closes each one that the server closes, prints `closed` when
 * none is left, and ends with its standard input.
 */
#include "peer.h"

/* Of connections in handshake, so that no backlog overflows. */
#define AT_A_TIME 128

static struct sockaddr_in address;
static int sources, epoll, started, connected, closed;

static int open_one(void) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0) return fail("socket");
  if (bind_source(fd, &address, sources, started++) != 0) return fail("bind");
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS)
    return fail("connect");
  struct epoll_event event = {.events = EPOLLOUT, .data.fd = fd};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static int established(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return errno = error, fail("connect");
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  connected++;
  return epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

static void say(const char *word) {
  printf("%s\n", word);
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc != 5 || !parse_address(argv[1], argv[2], &address)) return 2;
  int count = atoi(argv[3]);
  sources = atoi(argv[4]);
  epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = 0};
  epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &event);
  while (closed < count) {
    while (started < count && started - connected < AT_A_TIME)
      if (open_one() != 0) return 1;
    struct epoll_event events[256];
    int ready = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (fd == 0) return 0;
      if (events[i].events & EPOLLOUT) {
        if (established(fd) != 0) return 1;
        if (connected == count) say("open");
      } else {
        close(fd);
        closed++;
      }
    }
  }
  say("closed");
  return getchar() == EOF ? 0 : 1;
}
