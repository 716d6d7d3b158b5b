#include "device.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <set>

#include "arguments.h"
#include "checksum.h"
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
// RX_CHECKSUM_VOUCHED of src/base/batch.ts.
constexpr uint8_t kChecksumVouched = 1;

const uint8_t kEmptyVirtioHeader[kVirtioHeader] = {};

// Descriptors that devices of this process own: a second owner would close the first one's, and libuv
// ends the process when a descriptor that it watches is gone.
std::mutex owned_mutex;
std::set<int> owned;

// False when a device has the descriptor already.
bool Own(int fd) {
  std::lock_guard<std::mutex> lock(owned_mutex);
  return owned.insert(fd).second;
}

void Disown(int fd) {
  std::lock_guard<std::mutex> lock(owned_mutex);
  owned.erase(fd);
}

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
                         InstanceMethod<&Device::SetBusyPoll>("setBusyPoll"),
                         InstanceMethod<&Device::Write>("write"),
                         InstanceMethod<&Device::PollWritable>("pollWritable"),
                         InstanceMethod<&Device::RefHandle>("ref"),
                         InstanceMethod<&Device::UnrefHandle>("unref"),
                         InstanceMethod<&Device::CloseHandle>("close"),
                     });
}

Device::Device(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Device>(info) {
  std::string name = InterfaceArgument(info, 0);
  int fd = IntArgument(info, 1, "fd", -1);
  bool offload = BooleanArgument(info, 2, "offload");

  if (fd >= 0) {
    Adopt(fd);
  } else {
    Queues queues = Queues::kOne;
    if (info[3].IsNumber()) queues = static_cast<Queues>(info[3].As<Napi::Number>().Int32Value());
    Open(name, offload, queues);
  }
  try {
    SetOffload(offload);
    foreign_ = IsForeign(fd_.get());
    DefineProperties(info.This().As<Napi::Object>());
    StartHandles();
  } catch (...) {
    Disown(fd_.get());
    throw;
  }
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
  Own(fd.get());
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
  if (!Own(fd)) throw SystemError(Env(), "TUNGETIFF", EBUSY);
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
  uv_idle_init(loop, &handles->idle);
  handles->device = this;
  handles->open = 3;
  handles->poll.data = handles.get();
  handles->timer.data = handles.get();
  handles->idle.data = handles.get();
  uv_unref(reinterpret_cast<uv_handle_t*>(&handles->poll));
  uv_unref(reinterpret_cast<uv_handle_t*>(&handles->timer));
  uv_unref(reinterpret_cast<uv_handle_t*>(&handles->idle));
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
  if (reading_) throw SystemError(env, "start", EALREADY);
  View view;
  Napi::Object offsets = ViewArgument(info, 2, "offset", napi_int32_array, &view);
  Napi::Object lengths = ViewArgument(info, 3, "length", napi_int32_array, &view);
  Napi::Object flags = ViewArgument(info, 4, "flags", napi_uint8_array, &view);
  Napi::Function on_packets = FunctionArgument(info, 5, "onPackets");
  Napi::Function on_writable = FunctionArgument(info, 6, "onWritable");
  HoldArena(info);
  offset_array_ = Napi::Persistent(offsets);
  length_array_ = Napi::Persistent(lengths);
  flags_array_ = Napi::Persistent(flags);
  on_packets_ = Napi::Persistent(on_packets);
  on_writable_ = Napi::Persistent(on_writable);
  context_ = std::make_unique<Napi::AsyncContext>(env, "TUN", info.This().As<Napi::Object>());
  Ref();  // An open device is in use, whether or not JavaScript points to it.
  reading_ = true;
  Poll();
  return env.Undefined();
}

Napi::Value Device::SetArena(const Napi::CallbackInfo& info) {
  HoldArena(info);
  return info.Env().Undefined();
}

// Takes the arguments `bytes` and `from`.
void Device::HoldArena(const Napi::CallbackInfo& info) {
  View view;
  Napi::Object arena = ViewArgument(info, 0, "bytes", napi_uint8_array, &view);
  size_t from = static_cast<size_t>(IntegerArgument(info, 1, "from", 0, INT32_MAX));
  if (from > view.length) throw OutOfRange(info.Env(), "from");
  if (handles_ == nullptr) return;
  if (arena_.IsEmpty() || !arena_.Value().StrictEquals(arena)) arena_ = Napi::Persistent(arena);
  from_ = from;
}

void Device::Poll() {
  if (handles_ == nullptr || ended_) return;
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

// As long as this handle is active, the loop looks at its descriptors without sleeping.
void Device::OnIdle(uv_idle_t* handle) {
  Device* device = static_cast<Handles*>(handle->data)->device;
  if (device == nullptr || device->busy_poll_.GivesUp(uv_hrtime())) uv_idle_stop(handle);
}

void Device::OnTimer(uv_timer_t* handle) {
  Device* device = static_cast<Handles*>(handle->data)->device;
  if (device == nullptr) return;
  device->awaiting_writable_ = true;
  device->Poll();
}

void Device::ReadPackets() {
  if (!reading_) return;
  napi_env env = Env();
  // Their memory may be another's since the last time.
  View arena, offset, length, flags;
  bool usable = ViewOf(env, arena_.Value(), napi_uint8_array, &arena) &&
                ViewOf(env, offset_array_.Value(), napi_int32_array, &offset) &&
                ViewOf(env, length_array_.Value(), napi_int32_array, &length) &&
                ViewOf(env, flags_array_.Value(), napi_uint8_array, &flags);
  const size_t capacity =
      usable ? std::min({offset.length, length.length, flags.length}) : 0;
  const size_t header = vnet_ ? kVirtioHeader : 0;
  size_t at = from_;
  size_t count = 0;
  int error = -EFAULT;  // without room for a single packet
  while (count < capacity) {
    size_t start = (at + header + kAlignment - 1) / kAlignment * kAlignment;
    if (start - header + kLargestRead > arena.length) break;
    error = 0;
    ssize_t n = read(fd_.get(), arena.bytes() + start - header, kLargestRead);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) error = -errno;
      break;
    }
    size_t size = static_cast<size_t>(n) > header ? static_cast<size_t>(n) - header : 0;
    offset.ints()[count] = static_cast<int32_t>(start);
    length.ints()[count] = static_cast<int32_t>(size);
    // With offload the virtio header tells.
    if (!offload_) {
      bool right = TcpChecksumRight(arena.bytes() + start, size);
      flags.bytes()[count] = right ? kChecksumVouched : 0;
    }
    count++;
    at = start + size;
  }
  if (count == 0 && error == 0) return;
  if (error != 0) EndReading();
  busy_poll_.Arrived(uv_hrtime(), count);
  napi_value arguments[] = {Napi::Number::New(env, static_cast<double>(count)),
                            Napi::Number::New(env, error)};
  Call(on_packets_, 2, arguments);
  if (handles_ == nullptr) return;
  if (busy_poll_.Answered(uv_hrtime())) {
    uv_idle_start(&handles_->idle, OnIdle);
  } else {
    uv_idle_stop(&handles_->idle);
  }
}

// After an error nothing would change, and libuv would report it again and again.
void Device::EndReading() {
  ended_ = true;
  uv_poll_stop(&handles_->poll);
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
  CollectBuffers(info);
  View pieces, piece_end;
  ViewArgument(info, 1, "pieces", napi_int32_array, &pieces);
  ViewArgument(info, 2, "pieceEnd", napi_int32_array, &piece_end);
  size_t first = static_cast<size_t>(IntegerArgument(info, 3, "first", 0, UINT32_MAX));
  size_t end = first + static_cast<size_t>(IntegerArgument(info, 4, "count", 0, UINT32_MAX));
  if (end > piece_end.length) return Napi::Number::New(env, -EFAULT);

  const int32_t* piece = pieces.ints();
  const int32_t* ends = piece_end.ints();
  int32_t limit = static_cast<int32_t>(std::min<size_t>(pieces.length / 3, INT32_MAX));
  int32_t from = first == 0 ? 0 : ends[first - 1];
  for (size_t i = first; i < end; i++) {
    int32_t to = ends[i];
    int error = EFAULT;
    if (from >= 0 && from <= to && to <= limit) {
      error = WritePacket(piece + static_cast<size_t>(from) * 3, to - from);
    }
    if (error != 0) {
      return Napi::Number::New(env, i > first ? static_cast<double>(i - first) : -error);
    }
    from = to;
  }
  return Napi::Number::New(env, static_cast<double>(end - first));
}

// Takes the argument `buffers`. All elements are fetched before any is looked into: a getter among
// them may run JavaScript, which may detach what came before.
void Device::CollectBuffers(const Napi::CallbackInfo& info) {
  napi_env env = info.Env();
  if (!info[0].IsArray()) throw InvalidType(env, "buffers", "an array of Uint8Array");
  auto list = info[0].As<Napi::Array>();
  std::vector<napi_value> elements;
  elements.swap(elements_);  // keeps its memory from call to call, and a nested call off it
  elements.clear();
  for (uint32_t i = 0; i < list.Length(); i++) elements.push_back(list.Get(i));
  buffers_.clear();
  for (napi_value element : elements) {
    View view;
    if (!ViewOf(env, element, napi_uint8_array, &view)) {
      throw InvalidType(env, "buffers", "an array of Uint8Array");
    }
    buffers_.push_back(view);
  }
  elements_.swap(elements);
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
    iovecs_.push_back({buffers_[index].bytes() + offset, length});
  }
  if (!offload_) {
    size_t headers = vnet_ ? 1 : 0;
    CompleteTcpChecksum(iovecs_.data() + headers, iovecs_.size() - headers);
  }
  ssize_t n;
  do {
    n = writev(fd_.get(), iovecs_.data(), static_cast<int>(iovecs_.size()));
  } while (n < 0 && errno == EINTR);
  return n < 0 ? errno : 0;
}

Napi::Value Device::SetBusyPoll(const Napi::CallbackInfo& info) {
  constexpr int64_t kMost = 1'000'000;
  auto limit = static_cast<uint64_t>(IntegerArgument(info, 0, "microseconds", 0, kMost));
  busy_poll_.SetLimit(limit * 1000);
  return info.Env().Undefined();
}

Napi::Value Device::PollWritable(const Napi::CallbackInfo& info) {
  if (handles_ == nullptr) return info.Env().Undefined();
  int delay = IntArgument(info, 0, "delay", 0);
  if (!reading_) throw SystemError(info.Env(), "pollWritable", EINVAL);
  if (delay == 0) {
    awaiting_writable_ = true;
    Poll();
  } else {
    uv_timer_start(&handles_->timer, OnTimer, static_cast<uint64_t>(delay), 0);
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
  offset_array_.Reset();
  length_array_.Reset();
  flags_array_.Reset();
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
  uv_close(reinterpret_cast<uv_handle_t*>(&handles->idle), closed);
  Disown(fd_.get());
  fd_.Reset(-1);
}

void Device::OnCleanup(napi_async_cleanup_hook_handle, void* data) {
  auto* handles = static_cast<Handles*>(data);
  // Without a device the handles are closing already, and remove the hook when they are closed.
  if (handles->device != nullptr) handles->device->Shutdown();
}

}  // namespace tuntcp
