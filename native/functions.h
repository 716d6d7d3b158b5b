#pragma once

#include <napi.h>

namespace tuntcp {

void DefineInterface(Napi::Env env, Napi::Object exports);
void DefineMemory(Napi::Env env, Napi::Object exports);
void DefineProbe(Napi::Env env, Napi::Object exports);
void DefineProcess(Napi::Env env, Napi::Object exports);

}  // namespace tuntcp
