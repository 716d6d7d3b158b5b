#include "device.h"
#include "functions.h"

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("Device", tuntcp::Device::Define(env));
  tuntcp::DefineInterface(env, exports);
  tuntcp::DefineMemory(env, exports);
  tuntcp::DefineProbe(env, exports);
  tuntcp::DefineProcess(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(tuntcp, Init)
