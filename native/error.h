#pragma once

#include <napi.h>

#include <cstring>
#include <string>

namespace tuntcp {

// An Error with `errno` (negative, as Node has it) and `syscall`. JavaScript adds `code` and the
// sentence that says what to do.
inline Napi::Error SystemError(Napi::Env env, const char* syscall, int error) {
  Napi::Error thrown = Napi::Error::New(env, std::string(syscall) + ": " + strerror(error));
  thrown.Set("errno", Napi::Number::New(env, -error));
  thrown.Set("syscall", Napi::String::New(env, syscall));
  return thrown;
}

}  // namespace tuntcp
