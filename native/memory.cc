// Memory: such as the disk takes as it is, sums over more of it than JavaScript should go through, and what
// becomes of it when it is freed.

#include <malloc.h>

#include <cstdlib>

#include "arguments.h"
#include "checksum.h"
#include "functions.h"

namespace tuntcp {

namespace {

constexpr size_t kPage = 4096;

// pageAligned(length) -> Uint8Array of zeros that begins at a page of memory.
Napi::Value PageAligned(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  size_t length = static_cast<size_t>(IntArgument(info, 0, "length", 1, 1 << 30));
  auto buffer = Napi::ArrayBuffer::New(env, length + kPage);
  size_t astray = reinterpret_cast<uintptr_t>(buffer.Data()) % kPage;
  return Napi::Uint8Array::New(env, length, buffer, (kPage - astray) % kPage);
}

// sum(bytes, offset, length) -> the Internet checksum's sum over them, of 16 bits, not complemented.
Napi::Value Sum(const Napi::CallbackInfo& info) {
  View view;
  ViewArgument(info, 0, "bytes", napi_uint8_array, &view);
  size_t offset = static_cast<size_t>(IntArgument(info, 1, "offset", 0));
  size_t length = static_cast<size_t>(IntArgument(info, 2, "length", 0));
  if (offset > view.length || length > view.length - offset) throw OutOfRange(info.Env(), "length");
  InternetSum sum;
  sum.Add(view.bytes() + offset, length);
  return Napi::Number::New(info.Env(), ntohs(sum.Folded()));
}

// keepFreed(pieces, bytes): pieces of up to so many bytes come from the heap, which keeps up to `bytes` that are
// freed for what is allocated next.
void KeepFreed(const Napi::CallbackInfo& info) {
  int pieces = IntArgument(info, 0, "pieces", 1, 1 << 24);
  int bytes = IntArgument(info, 1, "bytes", 1, 1 << 30);
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, pieces);
  mallopt(M_TRIM_THRESHOLD, bytes);
#else
  (void)pieces;
  (void)bytes;
#endif
}

}  // namespace

void DefineMemory(Napi::Env env, Napi::Object exports) {
  exports.Set("pageAligned", Napi::Function::New(env, PageAligned, "pageAligned"));
  exports.Set("keepFreed", Napi::Function::New(env, KeepFreed, "keepFreed"));
  exports.Set("sum", Napi::Function::New(env, Sum, "sum"));
}

}  // namespace tuntcp
