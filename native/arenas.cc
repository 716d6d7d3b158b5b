// Memory that packets are read into, and that the application then has pieces of until V8 collects them.

#include <cstdlib>
#include <memory>
#include <vector>

#include "arguments.h"
#include "functions.h"

namespace tuntcp {

namespace {

constexpr size_t kPage = 4096;
// What a scavenge frees at once: V8 makes one for every 32 MiB of young buffers.
constexpr size_t kMostSpare = 32 << 20;
// The arenas of one thread. Their memory is used again, since the pages of fresh memory cost as much time as
// copying packets into them.
class Arenas : public std::enable_shared_from_this<Arenas> {
 public:
  ~Arenas() {
    for (const Block& block : spare_) std::free(block.memory);
  }

  Napi::Value New(Napi::Env env, size_t length) {
    uint8_t* memory = Take(length);
    if (memory == nullptr) throw Napi::Error::New(env, "out of memory");
    std::shared_ptr<Arenas> self = shared_from_this();
    return Napi::Buffer<uint8_t>::New(env, memory, length, [self, length](Napi::Env, uint8_t* memory) {
      self->GiveBack(memory, length);
    });
  }

 private:
  struct Block {
    uint8_t* memory;
    size_t length;
  };

  uint8_t* Take(size_t length) {
    if (!spare_.empty() && spare_.back().length == length) {
      uint8_t* memory = spare_.back().memory;
      spare_.pop_back();
      spare_bytes_ -= length;
      return memory;
    }
    void* memory = nullptr;
    return posix_memalign(&memory, kPage, length) == 0 ? static_cast<uint8_t*>(memory) : nullptr;
  }

  void GiveBack(uint8_t* memory, size_t length) {
    if (spare_bytes_ + length > kMostSpare) {
      std::free(memory);
      return;
    }
    spare_.push_back({memory, length});
    spare_bytes_ += length;
  }

  std::vector<Block> spare_;
  size_t spare_bytes_ = 0;
};

}  // namespace

void DefineArenas(Napi::Env env, Napi::Object exports) {
  auto arenas = std::make_shared<Arenas>();
  auto make = [arenas](const Napi::CallbackInfo& info) {
    return arenas->New(info.Env(), static_cast<size_t>(IntArgument(info, 0, "length", 1, 1 << 24)));
  };
  exports.Set("arena", Napi::Function::New(env, make, "arena"));
}

}  // namespace tuntcp
