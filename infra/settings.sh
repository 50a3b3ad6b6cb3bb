# shellcheck shell=bash
# Settings for the scripts, by Compose's own rule: the environment wins over .env, and .env over the default.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export HOPPROOF_STATE=${HOPPROOF_STATE:-$root/.state}

setting() { # setting NAME DEFAULT
  local line
  if [ -n "${!1:-}" ]; then
    printf '%s' "${!1}"
    return
  fi
  # As Compose reads it: without quotes, and without a comment behind the value.
  line=$(sed -n "s/^$1=//p" "$root/.env" 2>/dev/null | tail -n 1 |
    sed -e 's/[[:space:]]#.*$//' -e 's/[[:space:]]*$//' -e "s/^[\"']\(.*\)[\"']\$/\1/") || true
  printf '%s' "${line:-$2}"
}

uses_memcached() {
  [ "$(setting CACHE none)" = memcached ] || [ "$(setting STORE mysql)" = memcached ]
}

# Prints the number of PHP servers wanted in rotation beside the web servers.
php_servers() {
  if uses_profile polyglot; then whole_setting PHP_REPLICAS 1 1 5 servers; else printf 0; fi
}

uses_profile() { # uses_profile NAME
  case ,$(setting PROFILES none), in *,"$1",*) ;; *) return 1 ;; esac
}

# Puts the base images that infra/bare/images/ensure chose into the environment, where Compose and tests look.
export_images() {
  set -a
  # shellcheck source=/dev/null
  . "$HOPPROOF_STATE/images.env"
  set +a
}

whole_setting() { # whole_setting NAME DEFAULT LEAST MOST UNIT
  local value
  value=$(setting "$1" "$2")
  case $value in
    '' | *[!0-9]* | ??????????*) ;;
    *) [ "$value" -lt "$3" ] || [ "$value" -gt "$4" ] || { printf '%s' "$value"; return; } ;;
  esac
  printf "%s='%s' is not a whole number of %s from %d to %d; try %s=%s\n" "$1" "$value" "$5" "$3" "$4" "$1" "$2" >&2
  return 1
}
