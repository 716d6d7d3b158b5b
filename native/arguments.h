#pragma once

#include <linux/if.h>
#include <napi.h>

#include <cstdint>
#include <string>

namespace tuntcp {

// The arguments of exported functions. TypeScript stands in front of them and checks what users say;
// these keep a mistake of its own from reaching memory: it becomes a TypeError or a RangeError.

inline Napi::Error InvalidType(Napi::Env env, const char* name, const char* expected) {
  Napi::Error thrown = Napi::TypeError::New(
      env, std::string("The \"") + name + "\" argument must be " + expected);
  thrown.Set("code", Napi::String::New(env, "ERR_INVALID_ARG_TYPE"));
  return thrown;
}

inline Napi::Error OutOfRange(Napi::Env env, const char* name) {
  Napi::Error thrown = Napi::RangeError::New(
      env, std::string("The value of \"") + name + "\" is out of range");
  thrown.Set("code", Napi::String::New(env, "ERR_OUT_OF_RANGE"));
  return thrown;
}

// An integer from `least` to `most`; NaN and fractions are out of range.
inline int64_t IntegerArgument(const Napi::CallbackInfo& info, size_t index, const char* name,
                               int64_t least, int64_t most) {
  if (!info[index].IsNumber()) throw InvalidType(info.Env(), name, "a number");
  double value = info[index].As<Napi::Number>().DoubleValue();
  if (!(value >= static_cast<double>(least) && value <= static_cast<double>(most)) ||
      value != static_cast<double>(static_cast<int64_t>(value))) {
    throw OutOfRange(info.Env(), name);
  }
  return static_cast<int64_t>(value);
}

inline int IntArgument(const Napi::CallbackInfo& info, size_t index, const char* name,
                       int least = INT32_MIN, int most = INT32_MAX) {
  return static_cast<int>(IntegerArgument(info, index, name, least, most));
}

inline bool BooleanArgument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (!info[index].IsBoolean()) throw InvalidType(info.Env(), name, "a boolean");
  return info[index].As<Napi::Boolean>();
}

inline std::string StringArgument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (!info[index].IsString()) throw InvalidType(info.Env(), name, "a string");
  std::string text = info[index].As<Napi::String>();
  // C would take what is before it for the whole.
  if (text.find('\0') != std::string::npos) throw OutOfRange(info.Env(), name);
  return text;
}

// The name of an interface: one that were cut off could be another's.
inline std::string InterfaceArgument(const Napi::CallbackInfo& info, size_t index) {
  std::string name = StringArgument(info, index, "name");
  if (name.size() >= IFNAMSIZ) throw OutOfRange(info.Env(), "name");
  return name;
}

inline Napi::Function FunctionArgument(const Napi::CallbackInfo& info, size_t index,
                                       const char* name) {
  if (!info[index].IsFunction()) throw InvalidType(info.Env(), name, "a function");
  return info[index].As<Napi::Function>();
}

// What a typed array is a view of now. A buffer that was detached or has shrunk has no elements.
struct View {
  void* data = nullptr;
  size_t length = 0;

  uint8_t* bytes() const { return static_cast<uint8_t*>(data); }
  int32_t* ints() const { return static_cast<int32_t*>(data); }
};

// False unless `value` is a typed array of this type.
inline bool ViewOf(napi_env env, napi_value value, napi_typedarray_type wanted, View* view) {
  napi_typedarray_type type;
  return napi_get_typedarray_info(env, value, &type, &view->length, &view->data, nullptr,
                                  nullptr) == napi_ok &&
         type == wanted;
}

inline Napi::Object ViewArgument(const Napi::CallbackInfo& info, size_t index, const char* name,
                                 napi_typedarray_type wanted, View* view) {
  if (!ViewOf(info.Env(), info[index], wanted, view)) {
    throw InvalidType(info.Env(), name,
                      wanted == napi_uint8_array ? "a Uint8Array" : "an Int32Array");
  }
  return info[index].As<Napi::Object>();
}

}  // namespace tuntcp
