// What it takes to hand a device from one process to another and to become a command.

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "arguments.h"
#include "error.h"
#include "functions.h"

namespace tuntcp {

namespace {

// A message of one byte, with room for one descriptor beside it.
struct RightsMessage {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  char byte = 0;
  iovec data = {&byte, 1};
  msghdr header = {};

  RightsMessage() {
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
  }
  RightsMessage(const RightsMessage&) = delete;
  RightsMessage& operator=(const RightsMessage&) = delete;
};

// socketPair() -> [fd, fd], connected UNIX sockets, both close-on-exec and blocking.
Napi::Value SocketPair(const Napi::CallbackInfo& info) {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
    throw SystemError(info.Env(), "socketpair", errno);
  }
  Napi::Array pair = Napi::Array::New(info.Env(), 2);
  pair.Set(0u, Napi::Number::New(info.Env(), fds[0]));
  pair.Set(1u, Napi::Number::New(info.Env(), fds[1]));
  return pair;
}

// sendFd(socket, fd): sends a copy of `fd` with one byte of data.
void SendFd(const Napi::CallbackInfo& info) {
  int socket = IntArgument(info, 0, "socket");
  int fd = IntArgument(info, 1, "fd");
  RightsMessage message;
  cmsghdr* rights = CMSG_FIRSTHDR(&message.header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  ssize_t n;
  do {
    n = sendmsg(socket, &message.header, MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n < 0) throw SystemError(info.Env(), "sendmsg", errno);
}

// Nobody would know of descriptors that came in a message which is not taken.
void CloseRights(cmsghdr* rights) {
  if (rights == nullptr || rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS) return;
  for (size_t at = 0; CMSG_LEN(at + sizeof(int)) <= rights->cmsg_len; at += sizeof(int)) {
    int fd;
    memcpy(&fd, CMSG_DATA(rights) + at, sizeof fd);
    close(fd);
  }
}

// recvFd(socket) -> fd, close-on-exec. Does not wait: EAGAIN when nothing was sent yet.
Napi::Value RecvFd(const Napi::CallbackInfo& info) {
  int socket = IntArgument(info, 0, "socket");
  RightsMessage message;
  ssize_t n;
  do {
    n = recvmsg(socket, &message.header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  if (n < 0) throw SystemError(info.Env(), "recvmsg", errno);
  cmsghdr* rights = CMSG_FIRSTHDR(&message.header);
  if (rights == nullptr || rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS ||
      rights->cmsg_len != CMSG_LEN(sizeof(int))) {
    CloseRights(rights);
    throw SystemError(info.Env(), "recvmsg", n == 0 ? ECONNRESET : ENOMSG);
  }
  int fd;
  memcpy(&fd, CMSG_DATA(rights), sizeof fd);
  return Napi::Number::New(info.Env(), fd);
}

// dieWithParent(parent): this process gets SIGTERM when the one with pid `parent` ends.
void DieWithParent(const Napi::CallbackInfo& info) {
  int parent = IntArgument(info, 0, "parent", 0);
  if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0) throw SystemError(info.Env(), "prctl", errno);
  // It may have ended before the call above.
  if (getppid() != parent) raise(SIGTERM);
}

std::vector<std::string> Words(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (!info[0].IsArray()) throw InvalidType(env, "argv", "an array of strings");
  auto list = info[0].As<Napi::Array>();
  std::vector<std::string> words;
  for (uint32_t i = 0; i < list.Length(); i++) {
    Napi::Value word = list[i];
    if (!word.IsString()) throw InvalidType(env, "argv", "an array of strings");
    words.push_back(word.As<Napi::String>());
    if (words.back().find('\0') != std::string::npos) throw OutOfRange(env, "argv");
  }
  if (words.empty()) throw OutOfRange(env, "argv");
  return words;
}

// Gives signals their usual effect while it exists: a command that is executed inherits what Node
// ignores (SIGPIPE) and blocks.
class DefaultSignals {
 public:
  DefaultSignals() {
    for (int number = 1; number < NSIG; number++) {
      struct sigaction usual = {};
      usual.sa_handler = SIG_DFL;
      changed_[number] = sigaction(number, &usual, &before_[number]) == 0;
    }
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, &mask_);
  }
  ~DefaultSignals() {
    pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
    for (int number = 1; number < NSIG; number++) {
      if (changed_[number]) sigaction(number, &before_[number], nullptr);
    }
  }
  DefaultSignals(const DefaultSignals&) = delete;
  DefaultSignals& operator=(const DefaultSignals&) = delete;

 private:
  struct sigaction before_[NSIG];
  bool changed_[NSIG];
  sigset_t mask_;
};

// exec(arguments): becomes the command `arguments[0]`, found in PATH. Returns only by throwing.
void Exec(const Napi::CallbackInfo& info) {
  std::vector<std::string> words = Words(info);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  int error;
  {
    DefaultSignals signals;
    // Node marks every inherited descriptor close-on-exec.
    for (int fd = 0; fd <= 2; fd++) fcntl(fd, F_SETFD, 0);
    execvp(arguments[0], arguments.data());
    error = errno;
  }
  throw SystemError(info.Env(), "execvp", error);
}

}  // namespace

void DefineProcess(Napi::Env env, Napi::Object exports) {
  exports.Set("socketPair", Napi::Function::New(env, SocketPair, "socketPair"));
  exports.Set("sendFd", Napi::Function::New(env, SendFd, "sendFd"));
  exports.Set("recvFd", Napi::Function::New(env, RecvFd, "recvFd"));
  exports.Set("dieWithParent", Napi::Function::New(env, DieWithParent, "dieWithParent"));
  exports.Set("exec", Napi::Function::New(env, Exec, "exec"));
}

}  // namespace tuntcp
