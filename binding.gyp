{
  "variables": { "sanitize_addon%": 0 },
  "targets": [
    {
      "target_name": "tuntcp",
      "conditions": [
        [
          "OS=='linux'",
          {
            "sources": [
              "native/addon.cc",
              "native/device.cc",
              "native/interface.cc",
              "native/memory.cc",
              "native/probe.cc",
              "native/process.cc"
            ],
            "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
            "defines": [
              "NAPI_VERSION=8",
              "NAPI_CPP_EXCEPTIONS",
              # A worker that is terminated can be thrown nothing any more.
              "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"
            ],
            "cflags": ["-Wall", "-Wextra"],
            "cflags_cc!": ["-fno-exceptions"],
            "cflags_cc": ["-std=c++17", "-fexceptions", "-fvisibility=hidden"],
            "conditions": [
              [
                "sanitize_addon==1",
                {
                  "cflags": [
                    "-fsanitize=address,undefined",
                    "-fno-sanitize=vptr",
                    "-fno-omit-frame-pointer",
                    "-g",
                    "-O1"
                  ],
                  "ldflags": ["-fsanitize=address,undefined"]
                }
              ]
            ]
          },
          { "type": "none" }
        ]
      ]
    }
  ]
}
