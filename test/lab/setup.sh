#!/bin/sh
# The first thing that runs on a fresh clone: installs what is missing, then becomes the command that it was given.
#   setup.sh npm [COMMAND...]          npm packages only; silent and instant when they are there
#   setup.sh test|demo [COMMAND...]    the same, then (setup.ts) everything that tests or the demo need
# The command finds the time at which set-up began in MAILSEAL_STARTED (seconds since 1970). Nothing is written to
# stdout here, so that `npm run -s mailseal -- …` stays clean.
set -eu
MAILSEAL_STARTED=$(date +%s)
export MAILSEAL_STARTED

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "setup: $1"
  say "       $2"
  exit 1
}

mode=${1:-}
case $mode in
  npm | test | demo) shift ;;
  *) fail "unknown argument '$mode'" 'usage: setup.sh npm|test|demo [COMMAND...]' ;;
esac

# A demo in a cluster that is there, or a look into one that runs, needs nothing of the lab.
if [ "$mode" = demo ]; then
  for word in "$@"; do
    case $word in
      --help | exec) mode=npm ;;
      --context | --context=*)
        mode=npm
        for program in kubectl helm; do
          command -v "$program" >/dev/null 2>&1 ||
            fail "$program is not installed" 'the demo in an existing cluster uses your own kubectl and helm.'
        done
        ;;
    esac
    [ "$word" != exec ] || break
  done
fi

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
node=$root/node_modules/.bin/node
stamp=$root/node_modules/.package-lock.json

# npm writes its own copy of the lock file last, so that it is newer than the lock file once all is in place.
current() {
  [ -x "$node" ] && [ -f "$stamp" ] && [ -z "$(find "$root/package-lock.json" -newer "$stamp")" ]
}

install_packages() {
  command -v npm >/dev/null 2>&1 ||
    fail 'npm is not installed' 'install Node.js (any version from 20; https://nodejs.org) and run this again.'
  lock=${TMPDIR:-/tmp}/mailseal-npm-$(printf %s "$root" | cksum | cut -d' ' -f1).lock
  until mkdir "$lock" 2>/dev/null; do
    owner=$(cat "$lock/pid" 2>/dev/null || true)
    if [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; then
      rm -rf "$lock"
    else
      sleep 1
    fi
  done
  echo $$ >"$lock/pid"
  trap 'rm -rf "$lock"' EXIT
  trap 'exit 130' INT TERM
  if ! current; then
    say '==> npm packages: installing them'
    started=$(date +%s)
    log=$(mktemp)
    flags='--no-audit --no-fund --loglevel=error'
    cd "$root"
    # Without a registry npm would try each package for minutes: ask once, and then make do with npm's own cache.
    if ! npm view node version --fetch-retries=0 --fetch-timeout=20000 </dev/null >"$log" 2>&1; then
      say "    the registry $(npm config get registry) does not answer: trying with what npm has cached"
      flags="$flags --offline"
    fi
    # npm ci refuses a lock file that lacks the optional packages of other platforms, and one made where the registry
    # has only some platforms lacks them. npm install takes the locked versions too, and leaves the lock file alone.
    # shellcheck disable=SC2086
    if ! npm ci $flags </dev/null >"$log" 2>&1 &&
      ! { grep -q 'code EUSAGE' "$log" && npm install --no-save $flags </dev/null >"$log" 2>&1; }; then
      head -n 20 "$log" >&2
      rm -f "$log"
      fail 'npm could not install the packages (see above)' \
        'is the registry within reach (npm ping; behind a proxy: npm config set proxy URL)? Then run this again.'
    fi
    rm -f "$log"
    touch "$stamp"
    say "    npm packages: installed in $(($(date +%s) - started)) s"
  fi
  "$node" --version >/dev/null 2>&1 ||
    fail 'the Node.js that npm installed does not run' "it is $node; was its install script forbidden (npm config get ignore-scripts)?"
  rm -rf "$lock"
  trap - EXIT INT TERM
}

current || install_packages
[ "$mode" = npm ] || "$node" "$root/test/lab/setup.ts" "$mode"
[ $# -gt 0 ] || exit 0
PATH=$root/node_modules/.bin:$PATH
export PATH
exec "$@"
