/*
 * The kernel's end of a bulk transfer, kept as light as can be so that the other end is what is
 * measured. usage: bulk-peer ADDRESS PORT up|down BYTES; prints the seconds it took.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char buffer[256 * 1024];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int fail(const char *what) {
  perror(what);
  return 1;
}

/* Sends everything, then waits until the other end has read it and closes. */
static int up(int fd, long long total) {
  for (long long done = 0; done < total;) {
    long long rest = total - done;
    ssize_t n = write(fd, buffer, rest < (long long)sizeof buffer ? (size_t)rest : sizeof buffer);
    if (n <= 0) return fail("write");
    done += n;
  }
  if (shutdown(fd, SHUT_WR) != 0) return fail("shutdown");
  return read(fd, buffer, 1) == 0 ? 0 : fail("read");
}

static int down(int fd, long long total) {
  long long done = 0;
  ssize_t n;
  while ((n = read(fd, buffer, sizeof buffer)) > 0) done += n;
  if (n < 0) return fail("read");
  if (done == total) return 0;
  fprintf(stderr, "expected %lld bytes, received %lld\n", total, done);
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[2]))};
  if (inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) return 2;
  long long total = atoll(argv[4]);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) return fail("connect");
  double start = now();
  int status = strcmp(argv[3], "up") == 0 ? up(fd, total) : down(fd, total);
  if (status == 0) printf("%.6f\n", now() - start);
  return status;
}
