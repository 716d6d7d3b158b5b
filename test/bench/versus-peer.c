/*
 * The kernel's TCP for scripts/versus-linux, in whatever network namespace it is started in. Takes
 * commands by line, each done by a process of its own, and ends with its standard input:
 *
 *   receive ID PORT WARMUP SECONDS   counts what one connection brings in SECONDS after WARMUP
 *   send ID ADDRESS PORT CONTROL     sends until the other end has had enough
 *   try ID CONTROL                   whether this congestion control can be had
 *   stop ID                          ends one of the above
 *
 * and answers `ID ready`, `ID done BYTES SECONDS`, `ID failed WHY`.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Seconds that a connection may take to come about, and most that are waited for more data. */
#define PATIENCE 30

static char buffer[256 * 1024];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void say(const char *id, const char *what) {
  char line[256];
  int n = snprintf(line, sizeof line, "%s %s\n", id, what);
  if (write(1, line, (size_t)n) != n) exit(1);
}

static int fail(const char *id, const char *what) {
  char text[128];
  snprintf(text, sizeof text, "failed %s: %s", what, strerror(errno));
  say(id, text);
  return 1;
}

static int tcp_socket(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  int on = 1;
  /* Whoever has had enough says so by RST, and nothing of the connection remains. */
  struct linger abort = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  return fd;
}

/* Reads until `until`; the bytes read, or -1 when the connection has ended before. */
static long long count(int fd, double until) {
  long long total = 0;
  for (;;) {
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    double left = until - now();
    if (left <= 0) return total;
    if (poll(&readable, 1, (int)(left * 1000) + 1) <= 0) continue;
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n <= 0) return -1;
    total += n;
  }
}

static int receive(const char *id, int port, double warmup, double seconds) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  struct linger abort = {.l_onoff = 1, .l_linger = 0};
  int listener = tcp_socket();
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0) return fail(id, "bind");
  if (listen(listener, 1) != 0) return fail(id, "listen");
  say(id, "ready");
  struct pollfd acceptable = {.fd = listener, .events = POLLIN};
  errno = ETIMEDOUT;
  if (poll(&acceptable, 1, PATIENCE * 1000) <= 0) return fail(id, "accept");
  int fd = accept(listener, NULL, NULL);
  if (fd < 0) return fail(id, "accept");
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  double start = now();
  if (warmup > 0 && count(fd, start + warmup) < 0) return fail(id, "warm-up");
  double from = now();
  long long bytes = count(fd, start + warmup + seconds);
  if (bytes < 0) return fail(id, "read");
  char text[96];
  snprintf(text, sizeof text, "done %lld %.6f", bytes, now() - from);
  say(id, text);
  close(fd);
  return 0;
}

static int choose(int fd, const char *control) {
  return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, control, (socklen_t)strlen(control));
}

static int transmit(const char *id, const char *to, int port, const char *control) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  int fd = tcp_socket();
  if (inet_pton(AF_INET, to, &address.sin_addr) != 1) return fail(id, to);
  if (choose(fd, control) != 0) return fail(id, control);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) return fail(id, "connect");
  long long sent = 0;
  ssize_t n;
  while ((n = write(fd, buffer, sizeof buffer)) > 0) sent += n;
  char text[96];
  snprintf(text, sizeof text, "done %lld 0", sent);
  say(id, text);
  return 0;
}

static int try_control(const char *id, const char *control) {
  if (choose(tcp_socket(), control) != 0) return fail(id, control);
  say(id, "done 0 0");
  return 0;
}

/* Those that run, by the number of their command. */
#define TASKS 64
static struct { char id[16]; pid_t pid; } tasks[TASKS];

static int run(char *const *word, int words) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGPIPE, SIG_IGN);
  if (words == 5 && strcmp(word[0], "receive") == 0)
    return receive(word[1], atoi(word[2]), atof(word[3]), atof(word[4]));
  if (words == 5 && strcmp(word[0], "send") == 0)
    return transmit(word[1], word[2], atoi(word[3]), word[4]);
  if (words == 3 && strcmp(word[0], "try") == 0) return try_control(word[1], word[2]);
  return 2;
}

static void stop(const char *id) {
  for (int i = 0; i < TASKS; i++) {
    if (tasks[i].pid == 0 || strcmp(tasks[i].id, id) != 0) continue;
    kill(tasks[i].pid, SIGKILL);
    waitpid(tasks[i].pid, NULL, 0);
    tasks[i].pid = 0;
  }
}

static void start(char *const *word, int words) {
  for (int i = 0; i < TASKS; i++) {
    if (tasks[i].pid != 0 && waitpid(tasks[i].pid, NULL, WNOHANG) != 0) tasks[i].pid = 0;
    if (tasks[i].pid != 0) continue;
    pid_t pid = fork();
    if (pid == 0) _exit(run(word, words));
    if (pid < 0) break;
    tasks[i].pid = pid;
    snprintf(tasks[i].id, sizeof tasks[i].id, "%s", word[1]);
    return;
  }
  fail(word[1], "fork");
}

int main(void) {
  char line[256];
  say("peer", "ready");
  while (fgets(line, sizeof line, stdin) != NULL) {
    char *word[6] = {0};
    int words = 0;
    for (char *w = strtok(line, " \n"); w != NULL && words < 6; w = strtok(NULL, " \n")) word[words++] = w;
    if (words < 2) continue;
    if (strcmp(word[0], "stop") == 0) stop(word[1]);
    else start(word, words);
  }
  return 0;
}
