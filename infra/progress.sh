# shellcheck shell=bash
# How the scripts in infra/ talk: one line per slow step, its output in a log.
# The sourcing script sets `who` (first word of each line) and `log` (a file).
# Bash 3.2 and POSIX tools only: macOS has neither GNU `timeout` nor a newer bash.
: "${who:?}" "${log:?}"

step() { # step DOING USUALLY COMMAND...
  attempt "$@" && return 0
  show_log_end
  return 1
}

# A step that may fail without harm: the caller has another way.
attempt() { # attempt DOING USUALLY COMMAND...
  local doing=$1 usually=$2 began=$SECONDS
  shift 2
  printf '%s: %s (usually %s) ... ' "$who" "$doing" "$usually"
  mkdir -p "$(dirname "$log")"
  printf '\n== %s\n' "$doing" >>"$log"
  if "$@" >>"$log" 2>&1 </dev/null; then
    printf 'done in %d s\n' $((SECONDS - began))
    return 0
  fi
  printf 'failed after %d s\n' $((SECONDS - began))
  return 1
}

show_log_end() {
  {
    echo "$who: last lines of $log:"
    tail -n 15 "$log" | sed 's/^/    /'
  } >&2
}

give_up() { # give_up LINE...
  printf '%s: %s\n' "$who" "$1" >&2
  shift
  [ $# -eq 0 ] || printf '    %s\n' "$@" >&2
  exit 1
}

# Runs a command; 124 when it had to be ended because it took longer than LIMIT_S.
within() { # within LIMIT_S COMMAND...
  local limit_s=$1 ends pid
  shift
  "$@" &
  pid=$!
  ends=$((SECONDS + limit_s))
  while kill -0 "$pid" 2>/dev/null; do
    if [ "$SECONDS" -gt "$ends" ]; then
      kill "$pid" 2>/dev/null
      wait "$pid" 2>/dev/null
      return 124
    fi
    sleep 0.1
  done
  wait "$pid" 2>/dev/null
}

# Packages are installed only for root on Debian or Ubuntu, where that is usual.
can_install_packages() {
  [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] && command -v apt-get >/dev/null
}

install_packages() { # install_packages PACKAGE...
  export DEBIAN_FRONTEND=noninteractive
  # Another apt may be at work (a fresh machine updates itself): wait for its lock instead of failing.
  apt-get -o DPkg::Lock::Timeout=120 update &&
    apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends "$@"
}
