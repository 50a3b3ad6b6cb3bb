# shellcheck shell=bash
# Lets one command at a time change this deployment; a second one waits. The commands that it calls share its lock.
# Sourced, by a script that has set `who`. macOS has no flock, and so no lock.
: "${who:?}"
if [ -z "${HOPPROOF_ALONE:-}" ] && command -v flock >/dev/null; then
  export HOPPROOF_ALONE=yes
  mkdir -p "$HOPPROOF_STATE"
  exec 8>"$HOPPROOF_STATE/lock"
  flock --nonblock 8 || { echo "$who: waiting for another command that changes this deployment" >&2; flock 8; }
fi
