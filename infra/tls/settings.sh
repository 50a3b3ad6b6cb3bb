# shellcheck shell=bash
# The settings of TLS, and the URL that follows from them. Sourced by infra/settings.sh.
: "${root:?}"

uses_tls() { [ "$(setting TLS off)" != off ]; }

# Prints the address at which this machine reaches the deployment, an IPv6 one without brackets.
deployment_address() {
  local address
  address=$(setting HTTP_ADDRESS 127.0.0.1)
  address=${address#[}
  address=${address%]}
  case $address in
    0.0.0.0 | ::) address=127.0.0.1 ;;
  esac
  printf '%s' "$address"
}

# Prints the URL of this deployment, as it is seen from this machine.
deployment_url() {
  local host
  host=$(deployment_address)
  case $host in
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

# Prints the path of the file that TLS_CERTIFICATE or TLS_KEY names; a relative one counts from the project's folder.
tls_file() { # tls_file NAME
  local file
  file=$(setting "$1" "")
  case $file in
    "" | /*) printf '%s' "$file" ;;
    *) printf '%s' "$root/$file" ;;
  esac
}

# Ends the script where the settings of TLS have no meaning.
check_tls() {
  local name
  case $(setting TLS off) in
    off | self) ;;
    files)
      for name in TLS_CERTIFICATE TLS_KEY; do
        [ -f "$(tls_file "$name")" ] || {
          echo "$name='$(setting "$name" "")' is no file; with TLS=files both TLS_CERTIFICATE and TLS_KEY are needed" >&2
          exit 1
        }
      done
      ;;
    *) echo "TLS='$(setting TLS off)' is not off, self or files; try TLS=self" >&2; exit 1 ;;
  esac
  whole_setting HSTS_S 0 0 63072000 seconds >/dev/null || exit 1
  whole_setting HTTPS_PORT 8443 1 65535 "port numbers" >/dev/null || exit 1
}
