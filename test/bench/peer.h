/* What the programs on the kernel's side of a benchmark share. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static inline int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline double now(void) { return (double)now_ns() / 1e9; }

static inline int fail(const char *what) {
  perror(what);
  return 1;
}

/* Seconds of CPU that this process has taken. */
static inline double cpu(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static inline int parse_address(const char *address, const char *port, struct sockaddr_in *out) {
  memset(out, 0, sizeof *out);
  out->sin_family = AF_INET;
  out->sin_port = htons((uint16_t)atoi(port));
  return inet_pton(AF_INET, address, &out->sin_addr) == 1;
}

/*
 * The address that connection `index` comes from: one of `count` from .11 on in the network of the
 * server, so that ports last; 0 leaves it to the kernel.
 */
static inline int bind_source(int fd, const struct sockaddr_in *server, int count, int index) {
  if (count == 0) return 0;
  struct sockaddr_in source = *server;
  uint32_t net = ntohl(server->sin_addr.s_addr) & 0xffffff00u;
  int on = 1;
  source.sin_port = 0;
  source.sin_addr.s_addr = htonl(net + 11 + (uint32_t)(index % count));
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  return bind(fd, (struct sockaddr *)&source, sizeof source);
}

static inline void no_delay(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}
