// What this process may do with TUN devices. Leaves nothing behind.

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include <cerrno>

#include "fd.h"
#include "functions.h"

namespace tuntcp {

namespace {

// probe() -> { open, create, vnetHeader, offload }: 0 or -errno each, for the steps that were
// reached; a step that was not is missing.
Napi::Value Probe(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Object result = Napi::Object::New(env);
  auto step = [&](const char* name, bool done) {
    result.Set(name, Napi::Number::New(env, done ? 0 : -errno));
    return done;
  };

  Fd fd(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!step("open", fd.valid())) return result;

  unsigned int features = 0;
  bool known = ioctl(fd.get(), TUNGETFEATURES, &features) == 0;
  bool vnet = (features & IFF_VNET_HDR) != 0;
  if (known && !vnet) errno = EOPNOTSUPP;
  step("vnetHeader", known && vnet);

  ifreq request = {};
  request.ifr_flags = static_cast<short>(IFF_TUN | IFF_NO_PI | (vnet ? IFF_VNET_HDR : 0));
  if (!step("create", ioctl(fd.get(), TUNSETIFF, &request) == 0)) return result;
  if (vnet) step("offload", ioctl(fd.get(), TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) == 0);
  return result;
}

}  // namespace

void DefineProbe(Napi::Env env, Napi::Object exports) {
  exports.Set("probe", Napi::Function::New(env, Probe, "probe"));
}

}  // namespace tuntcp
