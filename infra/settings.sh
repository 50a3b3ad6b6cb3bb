# shellcheck shell=bash
# Settings for the scripts, by Compose's own rule: the environment wins over .env, and .env over the default.

root=$(CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export HOPPROOF_STATE=${HOPPROOF_STATE:-$root/.state}
# shellcheck source=infra/dotenv.sh
. "$root/infra/dotenv.sh"
# shellcheck source=infra/tls/settings.sh
. "$root/infra/tls/settings.sh"
# shellcheck source=infra/group/settings.sh
. "$root/infra/group/settings.sh"

# Settings that stay with a deployment: a later command without TLS=self must not take its TLS away. The word none ends
# one of them.
kept_names=(DB GROUP_NETWORK TLS TLS_NAMES TLS_CERTIFICATE TLS_KEY HTTPS_PORT HSTS_S TLS_PROXY_NETWORKS HTTP_NAMES)

setting() { # setting NAME DEFAULT
  local value
  value=$(chosen "$1")
  case " ${kept_names[*]} " in
    *" $1 "*)
      if [ -z "$value" ]; then value=$(kept "$1"); fi
      if [ "$value" = none ]; then value=; fi
      ;;
  esac
  printf '%s' "${value:-$2}"
}

kept() { [ ! -f "$HOPPROOF_STATE/kept" ] || sed -n "s/^$1=//p" "$HOPPROOF_STATE/kept" | tail -n 1; }

keep_choices() {
  local name
  mkdir -p "$HOPPROOF_STATE"
  for name in "${kept_names[@]}"; do printf '%s=%s\n' "$name" "$(setting "$name" '')"; done >"$HOPPROOF_STATE/kept.new"
  mv "$HOPPROOF_STATE/kept.new" "$HOPPROOF_STATE/kept"
}

# Only `up` replaces the balancer. A command that replaces servers alone would leave the two at odds.
refuse_new_choices() {
  local name new old
  [ -f "$HOPPROOF_STATE/kept" ] || return 0
  for name in "${kept_names[@]}"; do
    new=$(setting "$name" "")
    old=$(kept "$name")
    [ "$new" = "$old" ] || [ "$new$old" = off ] || [ "$new$old" = single ] ||
      give_up "$name='$new' is new; the deployment runs with '$old'" "type first: make up $name=$(chosen "$name")"
  done
}

uses_memcached() {
  [ "$(setting CACHE none)" = memcached ] || [ "$(setting STORE mysql)" = memcached ]
}

# Prints the number of PHP servers wanted in rotation beside the web servers.
php_servers() {
  if uses_profile polyglot; then whole_setting PHP_REPLICAS 1 1 5 servers; else printf 0; fi
}

# Prints the number of servers of other frameworks in rotation.
framework_servers() {
  if uses_profile frameworks; then printf 3; else printf 0; fi
}

uses_profile() { # uses_profile NAME
  case ,$(setting PROFILES none), in *,"$1",*) ;; *) return 1 ;; esac
}

# Prints the parts of this deployment that infra/bare/images/ensure has to find an image for.
base_images() {
  printf 'python haproxy mysql'
  if uses_memcached; then printf ' memcached'; fi
  if uses_profile observe; then printf ' prometheus'; fi
  if [ "$(php_servers)" -gt 0 ]; then printf ' php'; fi
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
