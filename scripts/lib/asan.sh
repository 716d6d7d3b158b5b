# The addon under AddressSanitizer and UndefinedBehaviorSanitizer. Sourced after setup.sh has run
# `setup`; needs Linux and gcc.

# Compiles the addon into $ROOT/.cache/asan and sets the environment in which programs load it:
# ASAN_PREBUILD and ASAN_PRELOAD, and ASAN_REPORTS, where reports go since the output of programs
# under test is taken apart. Takes about a minute, and nothing when it was compiled before.
asan_build() {
  local folder=.cache/asan libasan nodedir
  if [ "$(uname -s)" != Linux ]; then
    setup_die 'the addon is for Linux only'
    return 1
  fi
  libasan=$(gcc -print-file-name=libasan.so)
  if [ ! -e "$libasan" ]; then
    setup_die 'no libasan: apt-get install build-essential'
    return 1
  fi
  mkdir -p "$folder"
  if [ ! -e "$folder/build/Release/tuntcp.node" ] ||
    [ -n "$(find native binding.gyp -newer "$folder/build/Release/tuntcp.node" -print | head -n 1)" ]; then
    setup_say "compiling the addon with sanitizers into $folder"
    rm -rf "$folder/native"
    cp -r native binding.gyp package.json "$folder"
    nodedir=$(setup_nodedir)
    npx --no node-gyp rebuild ${nodedir:+"--nodedir=$nodedir"} --directory "$folder" \
      -- -Dsanitize_addon=1 >"$folder/build.log" 2>&1 || {
      cat "$folder/build.log" >&2
      return 1
    }
  fi
  # What is built without them passes every test.
  if ! grep -q __asan_report "$folder/build/Release/tuntcp.node" ||
    ! grep -q __ubsan_handle "$folder/build/Release/tuntcp.node"; then
    setup_die 'the addon was compiled without sanitizers'
    return 1
  fi
  ASAN_PREBUILD="$ROOT/$folder"
  ASAN_PRELOAD=$(realpath "$libasan")
  ASAN_REPORTS="$ROOT/$folder/report"
  rm -f "$ASAN_REPORTS".*
  # Node leaves much to the end of its process, so leaks are not looked for.
  export ASAN_OPTIONS="detect_leaks=0:log_path=$ASAN_REPORTS:log_exe_name=1"
  export UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1:log_path=$ASAN_REPORTS:log_exe_name=1"
}

# Prints the reports; fails when there are any.
asan_clean() {
  local report clean=0
  for report in "$ASAN_REPORTS"*; do
    [ -e "$report" ] || continue
    cat "$report" >&2
    clean=1
  done
  return "$clean"
}
