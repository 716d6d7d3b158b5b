// The host's side of a device, in the network namespace of the calling thread: what `ip link`,
// `ip address` and `ip route` do.

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "arguments.h"
#include "error.h"
#include "fd.h"
#include "functions.h"

namespace tuntcp {

namespace {

Fd ControlSocket(Napi::Env env) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw SystemError(env, "socket", errno);
  return Fd(fd);
}

ifreq Request(const Napi::CallbackInfo& info) {
  ifreq request = {};
  std::string name = InterfaceArgument(info, 0);
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  return request;
}

void Control(Napi::Env env, unsigned long operation, const char* syscall, ifreq* request) {
  Fd fd = ControlSocket(env);
  if (ioctl(fd.get(), operation, request) < 0) throw SystemError(env, syscall, errno);
}

int Index(const Napi::CallbackInfo& info) {
  ifreq request = Request(info);
  Control(info.Env(), SIOCGIFINDEX, "SIOCGIFINDEX", &request);
  return request.ifr_ifindex;
}

in_addr Address(const Napi::CallbackInfo& info, size_t index) {
  in_addr address = {};
  std::string text = StringArgument(info, index, "address");
  if (inet_pton(AF_INET, text.c_str(), &address) != 1) {
    throw SystemError(info.Env(), "inet_pton", EINVAL);
  }
  return address;
}

int Prefix(const Napi::CallbackInfo& info, size_t index) {
  return IntArgument(info, index, "prefix", 0, 32);
}

// interfaceInfo(name) -> { index, mtu, txQueueLength, up }
Napi::Value Info(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  ifreq request = Request(info);
  Napi::Object result = Napi::Object::New(env);
  result.Set("index", Napi::Number::New(env, Index(info)));
  Control(env, SIOCGIFMTU, "SIOCGIFMTU", &request);
  result.Set("mtu", Napi::Number::New(env, request.ifr_mtu));
  Control(env, SIOCGIFTXQLEN, "SIOCGIFTXQLEN", &request);
  result.Set("txQueueLength", Napi::Number::New(env, request.ifr_qlen));
  Control(env, SIOCGIFFLAGS, "SIOCGIFFLAGS", &request);
  result.Set("up", Napi::Boolean::New(env, (request.ifr_flags & IFF_UP) != 0));
  return result;
}

// setMtu(name, bytes)
void SetMtu(const Napi::CallbackInfo& info) {
  ifreq request = Request(info);
  request.ifr_mtu = IntArgument(info, 1, "bytes");
  Control(info.Env(), SIOCSIFMTU, "SIOCSIFMTU", &request);
}

// setTxQueueLength(name, packets)
void SetTxQueueLength(const Napi::CallbackInfo& info) {
  ifreq request = Request(info);
  request.ifr_qlen = IntArgument(info, 1, "packets");
  Control(info.Env(), SIOCSIFTXQLEN, "SIOCSIFTXQLEN", &request);
}

// setUp(name, up)
void SetUp(const Napi::CallbackInfo& info) {
  ifreq request = Request(info);
  bool up = BooleanArgument(info, 1, "up");
  Control(info.Env(), SIOCGIFFLAGS, "SIOCGIFFLAGS", &request);
  short flags = request.ifr_flags;
  request.ifr_flags = static_cast<short>(up ? flags | IFF_UP : flags & ~IFF_UP);
  if (request.ifr_flags != flags) Control(info.Env(), SIOCSIFFLAGS, "SIOCSIFFLAGS", &request);
}

// hasAddress(name, address, prefix)
Napi::Value HasAddress(const Napi::CallbackInfo& info) {
  std::string name = InterfaceArgument(info, 0);
  in_addr address = Address(info, 1);
  int prefix = Prefix(info, 2);
  uint32_t mask = prefix == 0 ? 0 : htonl(~uint32_t{0} << (32 - prefix));
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) throw SystemError(info.Env(), "getifaddrs", errno);
  bool found = false;
  for (ifaddrs* entry = list; entry != nullptr && !found; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET) continue;
    auto* local = reinterpret_cast<sockaddr_in*>(entry->ifa_addr);
    auto* netmask = reinterpret_cast<sockaddr_in*>(entry->ifa_netmask);
    found = name == entry->ifa_name && local->sin_addr.s_addr == address.s_addr &&
            netmask != nullptr && netmask->sin_addr.s_addr == mask;
  }
  freeifaddrs(list);
  return Napi::Boolean::New(info.Env(), found);
}

// A netlink message with room for the attributes that are used here.
class Message {
 public:
  template <typename Body>
  Message(uint16_t type, uint16_t flags, const Body& body) {
    header()->nlmsg_type = type;
    header()->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    header()->nlmsg_len = NLMSG_LENGTH(sizeof body);
    memcpy(NLMSG_DATA(header()), &body, sizeof body);
  }

  nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(bytes_); }

  rtattr* Add(uint16_t type, const void* data, size_t length) {
    auto* attribute = reinterpret_cast<rtattr*>(bytes_ + NLMSG_ALIGN(header()->nlmsg_len));
    attribute->rta_type = type;
    attribute->rta_len = static_cast<uint16_t>(RTA_LENGTH(length));
    if (length > 0) memcpy(RTA_DATA(attribute), data, length);
    header()->nlmsg_len = NLMSG_ALIGN(header()->nlmsg_len) + RTA_ALIGN(attribute->rta_len);
    return attribute;
  }

  // Ends the nested attribute `outer`, begun by `Add` without data.
  void End(rtattr* outer) {
    outer->rta_len = static_cast<uint16_t>(bytes_ + header()->nlmsg_len -
                                           reinterpret_cast<uint8_t*>(outer));
  }

  // Sends the request and waits for the kernel's answer; returns 0 or an errno.
  int Send() {
    Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!fd.valid()) return errno;
    if (send(fd.get(), bytes_, header()->nlmsg_len, 0) < 0) return errno;
    alignas(nlmsghdr) uint8_t answer[1024];
    ssize_t n;
    do {
      n = recv(fd.get(), answer, sizeof answer, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0) return errno;
    auto* reply = reinterpret_cast<nlmsghdr*>(answer);
    if (static_cast<size_t>(n) < NLMSG_LENGTH(sizeof(nlmsgerr)) ||
        reply->nlmsg_type != NLMSG_ERROR) {
      return EPROTO;
    }
    return -static_cast<nlmsgerr*>(NLMSG_DATA(reply))->error;
  }

 private:
  alignas(nlmsghdr) uint8_t bytes_[256] = {};
};

// changeAddress(name, add, address, prefix)
void ChangeAddress(const Napi::CallbackInfo& info) {
  bool add = BooleanArgument(info, 1, "add");
  in_addr address = Address(info, 2);
  ifaddrmsg body = {};
  body.ifa_family = AF_INET;
  body.ifa_prefixlen = static_cast<uint8_t>(Prefix(info, 3));
  body.ifa_index = static_cast<unsigned>(Index(info));
  Message message(add ? RTM_NEWADDR : RTM_DELADDR, add ? NLM_F_CREATE | NLM_F_EXCL : 0, body);
  message.Add(IFA_LOCAL, &address, sizeof address);
  message.Add(IFA_ADDRESS, &address, sizeof address);
  int error = message.Send();
  if (error != 0) throw SystemError(info.Env(), add ? "RTM_NEWADDR" : "RTM_DELADDR", error);
}

// changeRoute(name, add, destination, prefix)
void ChangeRoute(const Napi::CallbackInfo& info) {
  bool add = BooleanArgument(info, 1, "add");
  in_addr destination = Address(info, 2);
  int index = Index(info);
  rtmsg body = {};
  body.rtm_family = AF_INET;
  body.rtm_dst_len = static_cast<uint8_t>(Prefix(info, 3));
  body.rtm_table = RT_TABLE_MAIN;
  body.rtm_protocol = RTPROT_STATIC;
  body.rtm_scope = RT_SCOPE_LINK;
  body.rtm_type = RTN_UNICAST;
  Message message(add ? RTM_NEWROUTE : RTM_DELROUTE, add ? NLM_F_CREATE | NLM_F_EXCL : 0, body);
  if (body.rtm_dst_len > 0) message.Add(RTA_DST, &destination, sizeof destination);
  message.Add(RTA_OIF, &index, sizeof index);
  int error = message.Send();
  if (error != 0) throw SystemError(info.Env(), add ? "RTM_NEWROUTE" : "RTM_DELROUTE", error);
}

// quietIpv6(name): no link-local address, and so no IPv6 packets of the kernel's own accord.
// Returns 0 or -errno: a kernel without IPv6 has nothing to be quiet about.
Napi::Value QuietIpv6(const Napi::CallbackInfo& info) {
  ifinfomsg body = {};
  body.ifi_family = AF_UNSPEC;
  body.ifi_index = Index(info);
  uint8_t mode = IN6_ADDR_GEN_MODE_NONE;
  Message message(RTM_SETLINK, 0, body);
  rtattr* families = message.Add(IFLA_AF_SPEC, nullptr, 0);
  rtattr* inet6 = message.Add(AF_INET6, nullptr, 0);
  message.Add(IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof mode);
  message.End(inet6);
  message.End(families);
  return Napi::Number::New(info.Env(), -message.Send());
}

}  // namespace

void DefineInterface(Napi::Env env, Napi::Object exports) {
  exports.Set("interfaceInfo", Napi::Function::New(env, Info, "interfaceInfo"));
  exports.Set("setMtu", Napi::Function::New(env, SetMtu, "setMtu"));
  exports.Set("setTxQueueLength", Napi::Function::New(env, SetTxQueueLength, "setTxQueueLength"));
  exports.Set("setUp", Napi::Function::New(env, SetUp, "setUp"));
  exports.Set("hasAddress", Napi::Function::New(env, HasAddress, "hasAddress"));
  exports.Set("changeAddress", Napi::Function::New(env, ChangeAddress, "changeAddress"));
  exports.Set("changeRoute", Napi::Function::New(env, ChangeRoute, "changeRoute"));
  exports.Set("quietIpv6", Napi::Function::New(env, QuietIpv6, "quietIpv6"));
}

}  // namespace tuntcp
