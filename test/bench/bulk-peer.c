/*
 * The kernel's end of a bulk transfer, kept as light as can be so that the other end is what is
 * measured. usage: bulk-peer ADDRESS PORT up|down SECONDS; prints bytes, seconds and seconds of CPU.
 */
#include "peer.h"

static char buffer[256 * 1024];

/* Sends until the time is over, then waits until the other end has read it all and closes. */
static int64_t up(int fd, double until) {
  int64_t done = 0;
  while (now() < until) {
    ssize_t n = write(fd, buffer, sizeof buffer);
    if (n <= 0) return fail("write"), -1;
    done += n;
  }
  if (shutdown(fd, SHUT_WR) != 0) return fail("shutdown"), -1;
  return read(fd, buffer, 1) == 0 ? done : (fail("read"), -1);
}

static int64_t down(int fd, double until) {
  int64_t done = 0;
  while (now() < until) {
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n <= 0) return fail("read"), -1;
    done += n;
  }
  return done;
}

int main(int argc, char **argv) {
  struct sockaddr_in address;
  if (argc != 5 || !parse_address(argv[1], argv[2], &address)) return 2;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) return fail("connect");
  double start = now(), until = start + atof(argv[4]);
  int64_t bytes = strcmp(argv[3], "up") == 0 ? up(fd, until) : down(fd, until);
  if (bytes < 0) return 1;
  printf("%lld %.6f %.6f\n", (long long)bytes, now() - start, cpu());
  return 0;
}
