/*
 * Makes system calls for packet scripts: `ID CALL ARGUMENTS...` on standard input, `ID VALUE [NAME]`
 * on standard output, one a line. Arguments of its own are settings below /proc/sys/net, as
 * ipv4/tcp_sack=1; with a ? in front they may be missing.
 *
 * All sockets do not block, may reuse their address, and have urgent data in line. What is written
 * is the stream of pattern.ts, and what is read has to be that.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#define MAX_FDS 8192
#define MAX_BYTES (4 * 1024 * 1024)

static uint64_t written[MAX_FDS], taken[MAX_FDS];
static unsigned char bytes[MAX_BYTES];

static const char *const STATES[] = {
    "CLOSED",     "ESTABLISHED", "SYN_SENT", "SYN_RECEIVED", "FIN_WAIT_1", "FIN_WAIT_2",
    "TIME_WAIT",  "CLOSED",      "CLOSE_WAIT", "LAST_ACK",   "LISTEN",     "CLOSING",
    "SYN_RECEIVED",
};

static void fill(uint64_t offset, size_t length) {
  for (size_t i = 0; i < length; i++) bytes[i] = (unsigned char)('a' + (offset + i) % 26);
}

static int is_stream(uint64_t offset, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (bytes[i] != 'a' + (offset + i) % 26) return 0;
  }
  return 1;
}

static void prepare(int fd) {
  int on = 1;
  if (fd >= MAX_FDS) exit(3);
  written[fd] = taken[fd] = 0;
  fcntl(fd, F_SETFL, O_NONBLOCK);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
}

static struct sockaddr_in address(const char *host, const char *port) {
  struct sockaddr_in a;
  memset(&a, 0, sizeof a);
  a.sin_family = AF_INET;
  a.sin_port = htons((uint16_t)atoi(port));
  inet_pton(AF_INET, host, &a.sin_addr);
  return a;
}

/* The state of the socket with these ends; a remote port of 0 is that of a listener. */
static const char *state_of(int local_port, const char *host, int remote_port) {
  char line[512];
  const char *found = "CLOSED";
  uint32_t wanted = remote_port == 0 ? 0 : inet_addr(host);
  FILE *table = fopen("/proc/net/tcp", "r");
  if (table == NULL) return "UNKNOWN";
  while (fgets(line, sizeof line, table) != NULL) {
    unsigned local, lport, remote, rport, state;
    if (sscanf(line, " %*d: %x:%x %x:%x %x", &local, &lport, &remote, &rport, &state) != 5) continue;
    if ((int)lport != local_port || (int)rport != remote_port || remote != wanted) continue;
    if (state < sizeof STATES / sizeof *STATES) found = STATES[state];
    /* What came after a connection in TIME_WAIT counts. */
    if (state != 6) break;
  }
  fclose(table);
  return found;
}

static void answer(const char *id, long value) {
  if (value < 0) printf("%s -1 %s\n", id, strerrorname_np(errno));
  else printf("%s %ld\n", id, value);
}

static int set_option(int fd, const char *name, const char *value) {
  int number = atoi(value);
  if (strcmp(name, "SO_LINGER") == 0) {
    struct linger l = {0, 0};
    sscanf(value, "%d/%d", &l.l_onoff, &l.l_linger);
    return setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
  }
  if (strcmp(name, "TCP_CONGESTION") == 0) {
    return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, value, (socklen_t)strlen(value));
  }
  struct {
    const char *name;
    int level, option;
  } known[] = {
      {"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE},     {"SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR},
      {"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY},      {"TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE},
      {"TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT}, {"IP_TOS", IPPROTO_IP, 1 /* IP_TOS */},
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(known[i].name, name) == 0) {
      return setsockopt(fd, known[i].level, known[i].option, &number, sizeof number);
    }
  }
  errno = ENOPROTOOPT;
  return -1;
}

static void read_some(const char *id, int fd, long length) {
  ssize_t n = read(fd, bytes, (size_t)(length < MAX_BYTES ? length : MAX_BYTES));
  if (n > 0 && !is_stream(taken[fd], (size_t)n)) {
    printf("%s -1 EBADDATA\n", id);
    return;
  }
  if (n > 0) taken[fd] += (uint64_t)n;
  answer(id, n);
}

static void write_some(const char *id, int fd, long length, int flags) {
  if (length > MAX_BYTES) length = MAX_BYTES;
  fill(written[fd], (size_t)length);
  ssize_t n = send(fd, bytes, (size_t)length, flags | MSG_NOSIGNAL);
  if (n > 0) written[fd] += (uint64_t)n;
  answer(id, n);
}

static void accept_one(const char *id, int fd) {
  struct sockaddr_in peer;
  socklen_t length = sizeof peer;
  int accepted = accept(fd, (struct sockaddr *)&peer, &length);
  if (accepted < 0) {
    answer(id, -1);
    return;
  }
  prepare(accepted);
  printf("%s %d %d\n", id, accepted, ntohs(peer.sin_port));
}

static void close_it(const char *id, int fd, int with_reset) {
  struct linger l = {1, 0};
  if (with_reset) setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
  answer(id, close(fd));
}

static void look(const char *id, int fd, const char *what) {
  struct tcp_info info;
  socklen_t length = sizeof info;
  memset(&info, 0, sizeof info);
  if (strcmp(what, "unread") == 0) {
    int n = 0;
    answer(id, ioctl(fd, FIONREAD, &n) < 0 ? -1 : n);
    return;
  }
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0) answer(id, -1);
  else answer(id, strcmp(what, "cwnd") == 0 ? info.tcpi_snd_cwnd : info.tcpi_total_retrans);
}

static void error_of(const char *id, int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) answer(id, -1);
  else printf("%s 0%s%s\n", id, error == 0 ? "" : " ", error == 0 ? "" : strerrorname_np(error));
}

static void serve(const char *id, const char *call, char a[][64]) {
  int fd = atoi(a[0]);
  struct sockaddr_in to;
  if (strcmp(call, "socket") == 0) {
    fd = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    if (fd >= 0) prepare(fd);
    answer(id, fd);
  } else if (strcmp(call, "bind") == 0) {
    to = address(a[1], a[2]);
    answer(id, bind(fd, (struct sockaddr *)&to, sizeof to));
  } else if (strcmp(call, "listen") == 0) {
    answer(id, listen(fd, atoi(a[1])));
  } else if (strcmp(call, "accept") == 0) {
    accept_one(id, fd);
  } else if (strcmp(call, "connect") == 0) {
    to = address(a[1], a[2]);
    answer(id, connect(fd, (struct sockaddr *)&to, sizeof to));
  } else if (strcmp(call, "read") == 0) {
    read_some(id, fd, atol(a[1]));
  } else if (strcmp(call, "write") == 0) {
    write_some(id, fd, atol(a[1]), 0);
  } else if (strcmp(call, "urgent") == 0) {
    write_some(id, fd, atol(a[1]), MSG_OOB);
  } else if (strcmp(call, "shutdown") == 0) {
    answer(id, shutdown(fd, atoi(a[1])));
  } else if (strcmp(call, "close") == 0) {
    close_it(id, fd, 0);
  } else if (strcmp(call, "abort") == 0) {
    close_it(id, fd, 1);
  } else if (strcmp(call, "setsockopt") == 0) {
    answer(id, set_option(fd, a[1], a[2]));
  } else if (strcmp(call, "error") == 0) {
    error_of(id, fd);
  } else if (strcmp(call, "look") == 0) {
    look(id, fd, a[1]);
  } else if (strcmp(call, "state") == 0) {
    printf("%s 0 %s\n", id, state_of(atoi(a[0]), a[1], atoi(a[2])));
  } else {
    printf("%s -1 ENOSYS\n", id);
  }
}

/* Writes `name=value` below /proc/sys/net. */
static int set(char *setting) {
  char path[256];
  int optional = setting[0] == '?';
  char *name = setting + optional, *value = strchr(name, '=');
  if (value == NULL) return 2;
  *value++ = 0;
  snprintf(path, sizeof path, "/proc/sys/net/%s", name);
  int fd = open(path, O_WRONLY);
  if (fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value)) {
    close(fd);
    return 0;
  }
  if (optional) return 0;
  fprintf(stderr, "cannot set %s to %s: %s\n", path, value, strerror(errno));
  return 1;
}

int main(int argc, char **argv) {
  char line[512], id[32], call[32], a[4][64];
  struct rlimit files = {MAX_FDS, MAX_FDS};
  setrlimit(RLIMIT_NOFILE, &files);
  for (int i = 1; i < argc; i++) {
    if (set(argv[i]) != 0) return 1;
  }
  printf("ready 0\n");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin) != NULL) {
    memset(a, 0, sizeof a);
    if (sscanf(line, "%31s %31s %63s %63s %63s %63s", id, call, a[0], a[1], a[2], a[3]) < 2) continue;
    errno = 0;
    serve(id, call, a);
    fflush(stdout);
  }
  return 0;
}
