#include "device.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "error.h"

#ifndef TUNGETDEVNETNS
#define TUNGETDEVNETNS _IO('T', 227)  // Linux 5.2
#endif

namespace tuntcp {

namespace {

// sizeof(struct virtio_net_hdr); linux/virtio_net.h is not C++. src/wire/virtio.ts reads it.
constexpr size_t kVirtioHeader = 10;
constexpr size_t kLargestRead = kVirtioHeader + 65535;
// IPv4 headers start at multiples of this, so that checksums read aligned words.
constexpr size_t kAlignment = 16;

const uint8_t kEmptyVirtioHeader[kVirtioHeader] = {};

// True when the device lives in another network namespace than this process.
bool IsForeign(int tun) {
  Fd theirs(ioctl(tun, TUNGETDEVNETNS));
  if (!theirs.valid()) return false;
  struct stat a, b;
  if (fstat(theirs.get(), &a) != 0 || stat("/proc/thread-self/ns/net", &b) != 0) return false;
  return a.st_ino != b.st_ino || a.st_dev != b.st_dev;
}

}  // namespace

Napi::Function Device::Define(Napi::Env env) {
  return DefineClass(env, "Device",
                     {
                         InstanceMethod<&Device::Start>("start"),
                         InstanceMethod<&Device::SetArena>("setArena"),
                         InstanceMethod<&Device::Write>("write"),
                         InstanceMethod<&Device::PollWritable>("pollWritable"),
                         InstanceMethod<&Device::RefHandle>("ref"),
                         InstanceMethod<&Device::UnrefHandle>("unref"),
                         InstanceMethod<&Device::CloseHandle>("close"),
                     });
}

Device::Device(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Device>(info) {
  std::string name = info[0].As<Napi::String>();
  int fd = info[1].As<Napi::Number>();
  bool offload = info[2].As<Napi::Boolean>();

  if (fd >= 0) {
    Adopt(fd);
  } else {
    Queues queues = Queues::kOne;
    if (info[3].IsNumber()) queues = static_cast<Queues>(info[3].As<Napi::Number>().Int32Value());
    Open(name, offload, queues);
  }
  SetOffload(offload);
  foreign_ = IsForeign(fd_.get());
  StartHandles();
  DefineProperties(info.This().As<Napi::Object>());
}

Device::~Device() { Shutdown(); }

void Device::Open(const std::string& name, bool offload, Queues queues) {
  Fd fd(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid()) throw SystemError(Env(), "open", errno);

  unsigned int features = 0;
  if (ioctl(fd.get(), TUNGETFEATURES, &features) < 0) {
    throw SystemError(Env(), "TUNGETFEATURES", errno);
  }
  vnet_ = offload && (features & IFF_VNET_HDR) != 0;

  ifreq request = {};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = static_cast<short>(IFF_TUN | IFF_NO_PI | (vnet_ ? IFF_VNET_HDR : 0) |
                                         (queues == Queues::kOne ? 0 : IFF_MULTI_QUEUE));
  if (ioctl(fd.get(), TUNSETIFF, &request) < 0) throw SystemError(Env(), "TUNSETIFF", errno);
  name_ = request.ifr_name;
  shared_ = queues == Queues::kShare;
  if (queues == Queues::kNone) {
    ifreq detach = {};
    detach.ifr_flags = IFF_DETACH_QUEUE;
    if (ioctl(fd.get(), TUNSETQUEUE, &detach) < 0) throw SystemError(Env(), "TUNSETQUEUE", errno);
  }

  if (ioctl(fd.get(), TUNGETIFF, &request) == 0) {
    persistent_ = (static_cast<unsigned short>(request.ifr_flags) & IFF_PERSIST) != 0;
  }
  fd_.Reset(fd.Release());
}

void Device::Adopt(int fd) {
  ifreq request = {};
  if (ioctl(fd, TUNGETIFF, &request) < 0) throw SystemError(Env(), "TUNGETIFF", errno);
  unsigned short flags = static_cast<unsigned short>(request.ifr_flags);
  if ((flags & IFF_TUN) == 0 || (flags & IFF_NO_PI) == 0) {
    throw SystemError(Env(), "TUNGETIFF", EPROTOTYPE);
  }
  name_ = request.ifr_name;
  vnet_ = (flags & IFF_VNET_HDR) != 0;
  persistent_ = (flags & IFF_PERSIST) != 0;
  shared_ = (flags & IFF_MULTI_QUEUE) != 0;

  int status = fcntl(fd, F_GETFL);
  if (status < 0 || fcntl(fd, F_SETFL, status | O_NONBLOCK) < 0 ||
      fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
    throw SystemError(Env(), "fcntl", errno);
  }
  fd_.Reset(fd);
}

void Device::SetOffload(bool wanted) {
  if (vnet_) {
    int size = kVirtioHeader;
    int little = 1;
    if (ioctl(fd_.get(), TUNSETVNETHDRSZ, &size) < 0) {
      throw SystemError(Env(), "TUNSETVNETHDRSZ", errno);
    }
    if (ioctl(fd_.get(), TUNSETVNETLE, &little) < 0) {
      throw SystemError(Env(), "TUNSETVNETLE", errno);
    }
    offload_ = wanted && ioctl(fd_.get(), TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) == 0;
  }
  // A persistent device keeps what an earlier holder has set.
  if (!offload_) ioctl(fd_.get(), TUNSETOFFLOAD, 0);
}

void Device::StartHandles() {
  napi_env env = Env();
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) {
    throw SystemError(Env(), "napi_get_uv_event_loop", EINVAL);
  }
  auto handles = std::make_unique<Handles>();
  int status = uv_poll_init(loop, &handles->poll, fd_.get());
  if (status != 0) throw SystemError(Env(), "uv_poll_init", -status);
  uv_timer_init(loop, &handles->timer);
  handles->device = this;
  handles->open = 2;
  handles->poll.data = handles.get();
  handles->timer.data = handles.get();
  uv_unref(reinterpret_cast<uv_handle_t*>(&handles->poll));
  uv_unref(reinterpret_cast<uv_handle_t*>(&handles->timer));
  handles_ = handles.release();
  napi_add_async_cleanup_hook(env, OnCleanup, handles_, &handles_->cleanup);
}

void Device::DefineProperties(Napi::Object self) {
  Napi::Env env = Env();
  auto define = [&](const char* key, Napi::Value value) {
    self.DefineProperty(Napi::PropertyDescriptor::Value(key, value, napi_enumerable));
  };
  define("name", Napi::String::New(env, name_));
  define("fd", Napi::Number::New(env, fd_.get()));
  define("vnet", Napi::Boolean::New(env, vnet_));
  define("offload", Napi::Boolean::New(env, offload_));
  define("persistent", Napi::Boolean::New(env, persistent_));
  define("foreign", Napi::Boolean::New(env, foreign_));
}

Napi::Value Device::Start(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (handles_ == nullptr) throw SystemError(env, "start", EBADF);
  HoldArena(info, 0, 1);
  auto offsets = info[2].As<Napi::Int32Array>();
  auto lengths = info[3].As<Napi::Int32Array>();
  offset_array_ = Napi::Persistent(offsets);
  length_array_ = Napi::Persistent(lengths);
  offset_ = offsets.Data();
  length_ = lengths.Data();
  capacity_ = std::min(offsets.ElementLength(), lengths.ElementLength());
  on_packets_ = Napi::Persistent(info[4].As<Napi::Function>());
  on_writable_ = Napi::Persistent(info[5].As<Napi::Function>());
  context_ = std::make_unique<Napi::AsyncContext>(env, "TUN", info.This().As<Napi::Object>());
  if (!reading_) Ref();  // An open device is in use, whether or not JavaScript points to it.
  reading_ = true;
  Poll();
  return env.Undefined();
}

Napi::Value Device::SetArena(const Napi::CallbackInfo& info) {
  HoldArena(info, 0, 1);
  return info.Env().Undefined();
}

void Device::HoldArena(const Napi::CallbackInfo& info, size_t bytes, size_t from) {
  auto arena = info[bytes].As<Napi::Uint8Array>();
  uint8_t* data = arena.Data();
  if (data != bytes_) {
    arena_ = Napi::Persistent(arena);
    bytes_ = data;
    byte_length_ = arena.ByteLength();
  }
  from_ = static_cast<size_t>(info[from].As<Napi::Number>().Int64Value());
}

void Device::Poll() {
  if (handles_ == nullptr) return;
  int events = (reading_ ? UV_READABLE : 0) | (awaiting_writable_ ? UV_WRITABLE : 0);
  uv_poll_start(&handles_->poll, events, OnPoll);
}

void Device::OnPoll(uv_poll_t* handle, int status, int events) {
  Device* device = static_cast<Handles*>(handle->data)->device;
  if (device == nullptr) return;
  Napi::HandleScope scope(device->Env());
  // libuv stops polling on an error; the read below finds out which.
  if (status < 0 || (events & UV_READABLE) != 0) device->ReadPackets();
  if (status < 0) device->Poll();
  if (device->handles_ != nullptr && (events & UV_WRITABLE) != 0 && device->awaiting_writable_) {
    device->Writable();
  }
}

void Device::OnTimer(uv_timer_t* handle) {
  Device* device = static_cast<Handles*>(handle->data)->device;
  if (device == nullptr) return;
  device->awaiting_writable_ = true;
  device->Poll();
}

void Device::ReadPackets() {
  const size_t header = vnet_ ? kVirtioHeader : 0;
  size_t at = from_;
  size_t count = 0;
  int error = 0;
  while (count < capacity_) {
    size_t start = (at + header + kAlignment - 1) / kAlignment * kAlignment;
    if (start - header + kLargestRead > byte_length_) break;
    ssize_t n = read(fd_.get(), bytes_ + start - header, kLargestRead);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) error = -errno;
      break;
    }
    size_t length = static_cast<size_t>(n) > header ? static_cast<size_t>(n) - header : 0;
    offset_[count] = static_cast<int32_t>(start);
    length_[count] = static_cast<int32_t>(length);
    count++;
    at = start + length;
  }
  if (count == 0 && error == 0) return;
  napi_value arguments[] = {Napi::Number::New(Env(), static_cast<double>(count)),
                            Napi::Number::New(Env(), error)};
  Call(on_packets_, 2, arguments);
}

void Device::Writable() {
  awaiting_writable_ = false;
  Poll();
  Call(on_writable_, 0, nullptr);
}

// Calls JavaScript from the loop: microtasks and next ticks run before this returns, and what is
// thrown becomes an uncaught exception, which may be handled; the device goes on.
void Device::Call(const Napi::FunctionReference& callback, size_t count,
                  const napi_value* arguments) {
  napi_env env = Env();
  napi_value self = Value();
  napi_value function = callback.Value();
  napi_status status =
      napi_make_callback(env, *context_, self, function, count, arguments, nullptr);
  if (status != napi_pending_exception) return;
  napi_value error;
  if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
}

Napi::Value Device::Write(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (handles_ == nullptr) return Napi::Number::New(env, -EBADF);
  auto list = info[0].As<Napi::Array>();
  auto pieces = info[1].As<Napi::Int32Array>();
  auto piece_end = info[2].As<Napi::Int32Array>();
  size_t first = info[3].As<Napi::Number>().Uint32Value();
  size_t end = first + info[4].As<Napi::Number>().Uint32Value();
  const int32_t* piece = pieces.Data();
  const int32_t* ends = piece_end.Data();
  if (end > piece_end.ElementLength()) return Napi::Number::New(env, -EFAULT);

  buffers_.clear();
  for (uint32_t i = 0, length = list.Length(); i < length; i++) {
    Napi::Value element = list[i];
    auto bytes = element.As<Napi::Uint8Array>();
    buffers_.push_back({bytes.Data(), bytes.ByteLength()});
  }

  int32_t limit = static_cast<int32_t>(pieces.ElementLength() / 3);
  int32_t from = first == 0 ? 0 : ends[first - 1];
  for (size_t i = first; i < end; i++) {
    int32_t to = ends[i];
    int error = EFAULT;
    if (from >= 0 && from <= to && to <= limit) error = WritePacket(piece + from * 3, to - from);
    if (error != 0) {
      return Napi::Number::New(env, i > first ? static_cast<double>(i - first) : -error);
    }
    from = to;
  }
  return Napi::Number::New(env, static_cast<double>(end - first));
}

// Writes one packet; returns 0 or an errno.
int Device::WritePacket(const int32_t* piece, int pieces) {
  iovecs_.clear();
  if (vnet_ && !offload_) {
    iovecs_.push_back({const_cast<uint8_t*>(kEmptyVirtioHeader), kVirtioHeader});
  }
  for (int i = 0; i < pieces; i++, piece += 3) {
    size_t index = static_cast<uint32_t>(piece[0]);
    size_t offset = static_cast<uint32_t>(piece[1]);
    size_t length = static_cast<uint32_t>(piece[2]);
    if (index >= buffers_.size() || offset + length > buffers_[index].length) return EFAULT;
    iovecs_.push_back({buffers_[index].data + offset, length});
  }
  ssize_t n;
  do {
    n = writev(fd_.get(), iovecs_.data(), static_cast<int>(iovecs_.size()));
  } while (n < 0 && errno == EINTR);
  return n < 0 ? errno : 0;
}

Napi::Value Device::PollWritable(const Napi::CallbackInfo& info) {
  if (handles_ == nullptr) return info.Env().Undefined();
  uint32_t delay = info[0].As<Napi::Number>().Uint32Value();
  if (delay == 0) {
    awaiting_writable_ = true;
    Poll();
  } else {
    uv_timer_start(&handles_->timer, OnTimer, delay, 0);
  }
  return info.Env().Undefined();
}

Napi::Value Device::RefHandle(const Napi::CallbackInfo& info) {
  if (handles_ != nullptr) uv_ref(reinterpret_cast<uv_handle_t*>(&handles_->poll));
  return info.Env().Undefined();
}

Napi::Value Device::UnrefHandle(const Napi::CallbackInfo& info) {
  if (handles_ != nullptr) uv_unref(reinterpret_cast<uv_handle_t*>(&handles_->poll));
  return info.Env().Undefined();
}

Napi::Value Device::CloseHandle(const Napi::CallbackInfo& info) {
  bool held = handles_ != nullptr && reading_;
  // Whoever attaches to a persistent device next may not know about offload.
  if (handles_ != nullptr && persistent_ && !shared_) ioctl(fd_.get(), TUNSETOFFLOAD, 0);
  Shutdown();
  // They lead back to this object, which could never be collected while it holds them.
  on_packets_.Reset();
  on_writable_.Reset();
  arena_.Reset();
  if (held) Unref();
  return info.Env().Undefined();
}

// Calls no JavaScript: also used while the environment is torn down.
void Device::Shutdown() {
  if (handles_ == nullptr) return;
  Handles* handles = handles_;
  handles_ = nullptr;
  handles->device = nullptr;
  auto closed = [](uv_handle_t* handle) {
    auto* handles = static_cast<Handles*>(handle->data);
    if (--handles->open > 0) return;
    if (handles->cleanup != nullptr) napi_remove_async_cleanup_hook(handles->cleanup);
    delete handles;
  };
  uv_close(reinterpret_cast<uv_handle_t*>(&handles->poll), closed);
  uv_close(reinterpret_cast<uv_handle_t*>(&handles->timer), closed);
  fd_.Reset(-1);
}

void Device::OnCleanup(napi_async_cleanup_hook_handle, void* data) {
  auto* handles = static_cast<Handles*>(data);
  // Without a device the handles are closing already, and remove the hook when they are closed.
  if (handles->device != nullptr) handles->device->Shutdown();
}

}  // namespace tuntcp
