# shellcheck shell=bash
# Settings for the scripts, by Compose's own rule: the environment wins over .env, and .env over the default.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export HOPPROOF_STATE=${HOPPROOF_STATE:-$root/.state}

setting() { # setting NAME DEFAULT
  local value
  value=$(chosen "$1")
  if [ -z "$value" ]; then value=$(sed -n "s/^$1=//p" "$HOPPROOF_STATE/kept" 2>/dev/null | tail -n 1); fi
  printf '%s' "${value:-$2}"
}

# Prints the value in the environment or in .env, nothing if neither has one.
chosen() { # chosen NAME
  if [ -n "${!1:-}" ]; then
    printf '%s' "${!1}"
    return
  fi
  # As Compose reads it: without quotes, and without a comment behind the value.
  sed -n "s/^$1=//p" "$root/.env" 2>/dev/null | tail -n 1 |
    sed -e 's/[[:space:]]#.*$//' -e 's/[[:space:]]*$//' -e "s/^[\"']\(.*\)[\"']\$/\1/" || true
}

# Settings that stay with a deployment: a later command without TLS=self must not take its TLS away.
kept_names=(TLS TLS_NAMES TLS_CERTIFICATE TLS_KEY HTTPS_PORT HSTS_S TLS_PROXY_NETWORKS)

keep_choices() {
  local name
  mkdir -p "$HOPPROOF_STATE"
  for name in "${kept_names[@]}"; do printf '%s=%s\n' "$name" "$(setting "$name" '')"; done >"$HOPPROOF_STATE/kept.new"
  mv "$HOPPROOF_STATE/kept.new" "$HOPPROOF_STATE/kept"
}

uses_tls() { [ "$(setting TLS off)" != off ]; }

# Prints the URL of this deployment, as it is seen from this machine.
deployment_url() {
  local host
  host=$(setting HTTP_ADDRESS 127.0.0.1)
  host=${host#[}
  host=${host%]}
  case $host in
    0.0.0.0 | ::) host=127.0.0.1 ;;
    *:*) host=[$host] ;;
  esac
  if uses_tls; then
    printf 'https://%s:%s' "$host" "$(whole_setting HTTPS_PORT 8443 1 65535 "port numbers")"
  else
    printf 'http://%s:%s' "$host" "$(whole_setting HTTP_PORT 8080 1 65535 "port numbers")"
  fi
}

# Prints the file with the certificate of the CA that made the deployment's own, nothing if there is none.
deployment_ca() {
  if [ "$(setting TLS off)" = self ]; then printf '%s' "$HOPPROOF_STATE/tls/ca.pem"; fi
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
