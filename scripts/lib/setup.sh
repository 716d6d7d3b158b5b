# Brings a clone to where everything runs: npm packages, system packages, the addon, dist/.
# Sourced by the scripts beside it; says what it does, and is silent when nothing is missing.
# Needs bash 3.2 (macOS). Sets ROOT and leaves the working directory there.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
cd "$ROOT" || exit 1

setup_say() { printf '==> %s\n' "$*" >&2; }
setup_die() { printf 'error: %s\n' "$*" >&2; return 1; }

setup_node() {
  command -v node >/dev/null && command -v npm >/dev/null ||
    { setup_die 'Node.js 20.19 or newer with npm is needed; see https://nodejs.org/'; return 1; }
  node -e 'const [a, b] = process.versions.node.split(".").map(Number);
    process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    setup_die "Node.js 20.19 or newer is needed; this is $(node --version)"
}

setup_npm_packages() {
  if [ -f node_modules/.package-lock.json ] &&
    ! [ package-lock.json -nt node_modules/.package-lock.json ]; then
    return 0
  fi
  setup_say 'installing npm packages (npm ci)'
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2 || return 1
  touch node_modules/.package-lock.json
}

# True when the addon has to be compiled: never built, or older than its sources.
setup_addon_is_stale() {
  local built
  [ "$(uname -s)" = Linux ] && [ -f binding.gyp ] || return 1
  built=$(ls build/Release/*.node 2>/dev/null | head -n 1)
  [ -z "$built" ] || [ -n "$(find native binding.gyp -newer "$built" -print 2>/dev/null | head -n 1)" ]
}

# Names on stdout the Debian packages whose commands are missing.
setup_missing_debian() {
  command -v curl >/dev/null || echo curl
  command -v nc >/dev/null || echo netcat-openbsd
  command -v ping >/dev/null || echo iputils-ping
  command -v ip >/dev/null && command -v ss >/dev/null || echo iproute2
  command -v tcpdump >/dev/null || echo tcpdump
  command -v tshark >/dev/null || echo tshark
  command -v iperf3 >/dev/null || echo iperf3
  command -v wrk >/dev/null || echo wrk
  command -v ssh >/dev/null || echo openssh-client
  command -v redis-server >/dev/null || echo redis-server
  command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ||
    echo postgresql
  if setup_addon_is_stale; then
    command -v g++ >/dev/null || command -v c++ >/dev/null || echo g++
    command -v make >/dev/null || echo make
    python3 -c '' 2>/dev/null || echo python3
  fi
}

# Runs a command while no package that it installs may start a server, nor make one that starts later.
setup_without_servers() (
  policy=/usr/sbin/policy-rc.d clusters=/etc/postgresql-common/createcluster.d
  if ! [ -e "$policy" ] && printf '#!/bin/sh\nexit 101\n' >"$policy"; then
    trap 'rm -f "$policy"' EXIT
    chmod +x "$policy"
  fi
  if ! command -v pg_createcluster >/dev/null && mkdir -p "$clusters"; then
    echo 'create_main_cluster = false' >"$clusters/tuntcp.conf"
  fi
  "$@"
)

# A server that has come with our package only is not to start with the machine either.
setup_disable() {
  local service
  [ -d /run/systemd/system ] || return 0
  for service in redis-server postgresql; do
    case " $missing " in
    *" $service "*) systemctl disable --quiet "$service" || true ;;
    esac
  done
}

setup_system_packages() {
  local missing
  [ "$(uname -s)" = Linux ] || return 0
  PATH=$PATH:/usr/sbin:/sbin
  missing=$(setup_missing_debian | tr '\n' ' ')
  missing=${missing% }
  [ -n "$missing" ] || return 0
  if ! command -v apt-get >/dev/null; then
    if command -v dnf >/dev/null; then
      missing=$(printf '%s' "$missing" |
        sed 's/netcat-openbsd/netcat/; s/iputils-ping/iputils/; s/iproute2/iproute/; s/g++/gcc-c++/; s/tshark/wireshark-cli/
          s/openssh-client/openssh-clients/; s/redis-server/redis/')
      setup_say "some programs are missing; to install them: sudo dnf install -y $missing"
    else
      setup_say "some programs are missing; install with your package manager: $missing"
    fi
  elif [ "$(id -u)" != 0 ]; then
    setup_say "some programs are missing; to install them: sudo apt-get install -y $missing"
  else
    setup_say "installing Debian packages: $missing"
    # shellcheck disable=SC2086
    { apt-get -qq update &&
      DEBIAN_FRONTEND=noninteractive setup_without_servers \
        apt-get -qq install -y --no-install-recommends $missing; } \
      </dev/null >/dev/null && setup_disable ||
      setup_say "could not install them; going on without: $missing"
  fi
  return 0
}

# The directory whose include/node/node.h fits the Node.js in use; saves a download of headers.
setup_nodedir() {
  local dir
  dir=${npm_config_nodedir:-$(npm config get nodedir 2>/dev/null)}
  for dir in "$dir" "$(node -p 'path.dirname(path.dirname(fs.realpathSync(process.execPath)))')" /usr; do
    if [ -f "$dir/include/node/node.h" ]; then echo "$dir"; return; fi
  done
}

# Without the addon everything still runs that needs no TUN device, so a failure is no end.
setup_addon() {
  local nodedir log
  setup_addon_is_stale || return 0
  setup_say 'compiling the addon (node-gyp)'
  nodedir=$(setup_nodedir)
  log=$(mktemp)
  if ! npm exec --no -- node-gyp rebuild ${nodedir:+"--nodedir=$nodedir"} </dev/null >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    setup_say 'the addon did not compile (above: why); going on without a TUN device'
  fi
  rm -f "$log"
}

setup_dist() {
  if [ -f dist/.built ] && [ -z "$(find src tsconfig.json tsconfig.build.json \
    node_modules/.package-lock.json -newer dist/.built -print | head -n 1)" ]; then
    return 0
  fi
  setup_say 'compiling TypeScript (npm run build)'
  rm -rf dist
  npm run --silent build >&2 || { setup_die 'the TypeScript in src/ does not compile'; return 1; }
  if [ -f dist/cli/main.js ]; then chmod +x dist/cli/main.js; fi
  mkdir -p dist && touch dist/.built
}

# The simulations of test/sim, the fuzzer of test/fuzz, and src/ with them, as JavaScript in dist-sim/.
setup_simulations() {
  if [ -f dist-sim/.built ] && [ -z "$(find src test/sim test/fuzz test/support tsconfig.json \
    node_modules/.package-lock.json -newer dist-sim/.built -print | head -n 1)" ]; then
    return 0
  fi
  setup_say 'compiling the simulations'
  rm -rf dist-sim
  node node_modules/typescript/bin/tsc -p test/sim >&2 ||
    { setup_die 'the TypeScript in test/sim does not compile'; return 1; }
  # The addon is looked for beside src/.
  ln -sfn ../build dist-sim/build
  touch dist-sim/.built
}

# The runner of packet scripts, and src/ with it, as JavaScript in dist-packet-scripts/.
setup_packet_scripts() {
  local runner=test/conformance/packet-scripts built=dist-packet-scripts
  if [ -f "$built/.built" ] && [ -z "$(find src "$runner" test/support tsconfig.json \
    node_modules/.package-lock.json -newer "$built/.built" -print | head -n 1)" ]; then
    return 0
  fi
  setup_say 'compiling the runner of packet scripts'
  rm -rf "$built"
  node node_modules/typescript/bin/tsc -p "$runner" >&2 ||
    { setup_die "the TypeScript in $runner does not compile"; return 1; }
  # The addon is looked for beside src/.
  ln -s ../build "$built/build" && touch "$built/.built"
}

# promtool of Debian's prometheus, unpacked into .cache/bin: installed, the package would start a server.
setup_promtool() {
  local dir
  if command -v promtool >/dev/null || [ -x .cache/bin/promtool ]; then return 0; fi
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 0
  setup_say 'unpacking promtool (Debian package prometheus)'
  dir=$(mktemp -d)
  if (cd "$dir" && { apt-get -qq download prometheus ||
    { [ "$(id -u)" = 0 ] && apt-get -qq update && apt-get -qq download prometheus; }; } &&
    dpkg-deb -x prometheus_*.deb .) </dev/null >/dev/null 2>&1; then
    mkdir -p .cache/bin && mv "$dir/usr/bin/promtool" .cache/bin/
  else
    setup_say 'could not get it; its test is skipped'
  fi
  rm -rf "$dir"
}

setup() {
  setup_node && setup_npm_packages && setup_system_packages && setup_addon && setup_dist
}

# Replaces the shell by a TypeScript program of scripts/.
run_script() {
  local script=$1
  shift
  exec node "$ROOT/node_modules/ts-node/dist/bin.js" "$ROOT/scripts/$script" "$@"
}
