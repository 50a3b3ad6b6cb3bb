# shellcheck shell=bash
# Variables that the files of this folder use besides the settings. Sourced by start.

# The gateway of the network with a default route: the address under which a program on the machine itself is seen.
gateway=$(while read -r _ destination address _; do
  if [ "$destination" = 00000000 ]; then
    printf '%d.%d.%d.%d' "0x${address:6:2}" "0x${address:4:2}" "0x${address:2:2}" "0x${address:0:2}"
  fi
done </proc/net/route)
if [ -n "${TLS_PROXY_NETWORKS:-}" ]; then TLS_PROXY=yes; else TLS_PROXY=no; fi
# Where there is no proxy, an address that nobody has: HAProxy reads the line even if a condition leaves it out.
TLS_PROXY_NETWORKS=${TLS_PROXY_NETWORKS:-255.255.255.255}
export TLS_PROXY TLS_PROXY_NETWORKS=${TLS_PROXY_NETWORKS//gateway/$gateway}
# The port in the secure address of a page. A proxy in front has the usual one.
if [ "${TLS:-off}" = on ]; then HTTPS_SUFFIX=:$HTTPS_PORT; else HTTPS_SUFFIX=; fi
export HTTPS_SUFFIX
