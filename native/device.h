#pragma once

#include <napi.h>
#include <sys/uio.h>
#include <uv.h>

#include <memory>
#include <string>
#include <vector>

#include "arguments.h"
#include "busy-poll.h"
#include "fd.h"

namespace tuntcp {

class Device;

// The libuv handles of a device. They outlive it until libuv has closed them.
struct Handles {
  uv_poll_t poll;
  uv_timer_t timer;
  uv_idle_t idle;
  Device* device;
  int open;
  napi_async_cleanup_hook_handle cleanup;
};

// How an opened device has its packets: all of them; a share, with other descriptors that are queues
// of it too (IFF_MULTI_QUEUE); or none, which keeps such a device alive.
enum class Queues { kOne = 0, kShare = 1, kNone = 2 };

// A TUN device on the libuv loop of the environment that made it. JavaScript sees:
//
//   new Device(name, fd, offload, queues = 0)
//     name: '' lets the kernel pick; fd: -1, or an open TUN descriptor that the device takes over;
//     queues: what Queues says.
//   start(bytes, from, offset, length, flags, onPackets(count, errno), onWritable())
//   setArena(bytes, from)
//   write(buffers, pieces, pieceEnd, first, count) -> packets written, or -errno of the first
//   setBusyPoll(microseconds)  goes on looking for packets so long where they come one by one; 0: never
//   pollWritable(delay)  calls onWritable once, when the fd is writable and after `delay` ms
//   ref(), unref(), close()
//   name, fd, vnet, offload, persistent, foreign
class Device : public Napi::ObjectWrap<Device> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit Device(const Napi::CallbackInfo& info);
  ~Device() override;

 private:
  void Open(const std::string& name, bool offload, Queues queues);
  void Adopt(int fd);
  void SetOffload(bool wanted);
  void StartHandles();
  void DefineProperties(Napi::Object self);

  Napi::Value Start(const Napi::CallbackInfo& info);
  Napi::Value SetArena(const Napi::CallbackInfo& info);
  Napi::Value SetBusyPoll(const Napi::CallbackInfo& info);
  Napi::Value Write(const Napi::CallbackInfo& info);
  Napi::Value PollWritable(const Napi::CallbackInfo& info);
  Napi::Value RefHandle(const Napi::CallbackInfo& info);
  Napi::Value UnrefHandle(const Napi::CallbackInfo& info);
  Napi::Value CloseHandle(const Napi::CallbackInfo& info);

  static void OnPoll(uv_poll_t* handle, int status, int events);
  static void OnIdle(uv_idle_t* handle);
  static void OnTimer(uv_timer_t* handle);
  static void OnCleanup(napi_async_cleanup_hook_handle hook, void* data);

  void HoldArena(const Napi::CallbackInfo& info);
  void CollectBuffers(const Napi::CallbackInfo& info);
  void Poll();
  void ReadPackets();
  void EndReading();
  void Writable();
  void Call(const Napi::FunctionReference& callback, size_t count, const napi_value* arguments);
  int WritePacket(const int32_t* piece, int pieces);
  void Shutdown();

  Fd fd_{-1};
  std::string name_;
  bool vnet_ = false;
  bool offload_ = false;
  bool persistent_ = false;
  bool foreign_ = false;
  // Others have the device open too, and its settings are not ours alone.
  bool shared_ = false;
  bool reading_ = false;
  bool ended_ = false;
  bool awaiting_writable_ = false;
  BusyPoll busy_poll_;

  Handles* handles_ = nullptr;
  std::unique_ptr<Napi::AsyncContext> context_;
  Napi::FunctionReference on_packets_;
  Napi::FunctionReference on_writable_;

  // The arena and the three arrays belong to JavaScript, which may take their memory away.
  Napi::ObjectReference arena_;
  Napi::ObjectReference offset_array_;
  Napi::ObjectReference length_array_;
  Napi::ObjectReference flags_array_;
  size_t from_ = 0;

  std::vector<napi_value> elements_;
  std::vector<View> buffers_;
  std::vector<iovec> iovecs_;
};

}  // namespace tuntcp
