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
  int socket = info[0].As<Napi::Number>();
  int fd = info[1].As<Napi::Number>();
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

// recvFd(socket) -> fd, close-on-exec. Does not wait: EAGAIN when nothing was sent yet.
Napi::Value RecvFd(const Napi::CallbackInfo& info) {
  int socket = info[0].As<Napi::Number>();
  RightsMessage message;
  ssize_t n;
  do {
    n = recvmsg(socket, &message.header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  if (n < 0) throw SystemError(info.Env(), "recvmsg", errno);
  cmsghdr* rights = CMSG_FIRSTHDR(&message.header);
  if (rights == nullptr || rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS ||
      rights->cmsg_len != CMSG_LEN(sizeof(int))) {
    throw SystemError(info.Env(), "recvmsg", n == 0 ? ECONNRESET : ENOMSG);
  }
  int fd;
  memcpy(&fd, CMSG_DATA(rights), sizeof fd);
  return Napi::Number::New(info.Env(), fd);
}

// dieWithParent(parent): this process gets SIGTERM when the one with pid `parent` ends.
void DieWithParent(const Napi::CallbackInfo& info) {
  if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0) throw SystemError(info.Env(), "prctl", errno);
  // It may have ended before the call above.
  if (getppid() != info[0].As<Napi::Number>().Int32Value()) raise(SIGTERM);
}

// exec(arguments): becomes the command `arguments[0]`, found in PATH. Returns only by throwing.
void Exec(const Napi::CallbackInfo& info) {
  auto list = info[0].As<Napi::Array>();
  std::vector<std::string> words;
  for (uint32_t i = 0; i < list.Length(); i++) {
    Napi::Value word = list[i];
    words.push_back(word.As<Napi::String>());
  }
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  // Node ignores SIGPIPE, which a new program would inherit.
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  // Node marks every inherited descriptor close-on-exec.
  for (int fd = 0; fd <= 2; fd++) fcntl(fd, F_SETFD, 0);
  execvp(arguments[0], arguments.data());
  throw SystemError(info.Env(), "execvp", errno);
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
