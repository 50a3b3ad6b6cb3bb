# shellcheck shell=bash
# Prepares the settings for the files of this folder, and refuses values that HAProxy would misunderstand. Sourced by
# start.

limit() { # limit NAME DEFAULT LEAST MOST UNIT
  local value=${!1:-$2}
  case $value in
    '' | *[!0-9]* | ???????*) ;;
    *) if [ "$value" -ge "$3" ] && [ "$value" -le "$4" ]; then export "$1=$value"; return; fi ;;
  esac
  echo "balancer: $1='$value' is not a whole number of $5 from $3 to $4; try $1=$2" >&2
  exit 1
}
# The largest is the number of connections of haproxy.cfg: one source alone could then take them all.
limit LIMIT_CONNECTIONS 100 1 1000 connections
limit LIMIT_REQUESTS 1000 1 100000 requests
limit LIMIT_NEW_SESSIONS 120 1 100000 sessions
limit LIMIT_ANSWER_S 60 30 3600 seconds
export LIMIT_NEW_SESSIONS_WITH_COOKIE=$((2 * LIMIT_NEW_SESSIONS))

# The gateway of the network with a default route: the address under which a program on the machine itself is seen.
gateway=$(while read -r _ destination address _; do
  if [ "$destination" = 00000000 ]; then
    printf '%d.%d.%d.%d' "0x${address:6:2}" "0x${address:4:2}" "0x${address:2:2}" "0x${address:0:2}"
  fi
done </proc/net/route)
# Where a list is empty, an address that nobody has: HAProxy reads a line even if a condition leaves it out.
nobody=255.255.255.255
sources() { # sources NAME DEFAULT
  local value=${!1-$2}
  if [ "$value" = none ]; then value=; fi
  value=${value//,/ }
  value=${value//gateway/${gateway:-$nobody}}
  case $value in
    *[!0-9a-fA-F.:/\ ]*)
      echo "balancer: $1='${!1}' is no list of addresses and networks; try $1='gateway 10.0.0.0/8'" >&2
      exit 1
      ;;
  esac
  export "$1=${value:-$nobody}"
}
sources LIMIT_FREE_SOURCES "gateway 127.0.0.0/8 ::1"
sources TLS_PROXY_NETWORKS ""
if [ "$TLS_PROXY_NETWORKS" = "$nobody" ]; then TLS_PROXY=no; else TLS_PROXY=yes; fi
export TLS_PROXY

# The port in the secure address of a page. A proxy in front has the usual one.
if [ "${TLS:-off}" = on ]; then HTTPS_SUFFIX=:$HTTPS_PORT; else HTTPS_SUFFIX=; fi
export HTTPS_SUFFIX
COOKIE=${SESSION_COOKIE:-session}
if [ "${TLS:-off}" = on ] || [ "$TLS_PROXY" = yes ] || [ "${SESSION_COOKIE_SECURE:-no}" = yes ]; then COOKIE=__Host-$COOKIE; fi
export COOKIE

# One of two balancers (peers.cfg), its name and the other one's. The only balancer has a name, too: HAProxy reads a line even
# if a condition leaves it out. An address, because a host name would have to be found at each start.
PEERS=no
OTHER=two
if [ -n "${BALANCER:-}" ]; then
  PEERS=yes
  case $BALANCER in
    one) ;;
    two) OTHER=one ;;
    *) echo "balancer: BALANCER='$BALANCER' is neither one nor two; try BALANCER=one" >&2; exit 1 ;;
  esac
  case ${OTHER_BALANCER:-} in
    '' | *[!0-9a-fA-F.:]*)
      echo "balancer: OTHER_BALANCER='${OTHER_BALANCER:-}' is no address; try OTHER_BALANCER=192.0.2.12" >&2
      exit 1
      ;;
  esac
  limit PEERS_PORT 10000 1024 65535 "port numbers"
fi
export PEERS OTHER BALANCER="${BALANCER:-one}"

# Names that are ours. Without HTTP_NAMES on an address that others reach, any: infra/up warns of it.
NAMES="localhost 127.0.0.1 [::1] balancer"
NAME_ENDS=.localhost
ANY_NAME=no
address=${HTTP_ADDRESS:-127.0.0.1}
case $address in
  127.* | localhost | ::1 | "[::1]") ;;
  *) if [ -z "${HTTP_NAMES:-}" ]; then ANY_NAME=yes; fi ;;
esac
case $address in
  *:*) NAMES+=" [${address//[\[\]]/}]" ;;
  *) NAMES+=" $address" ;;
esac
HTTP_NAMES=${HTTP_NAMES:-},${TLS_NAMES:-}
for name in ${HTTP_NAMES//,/ }; do
  case $name in
    *[!a-zA-Z0-9.:*\[\]-]*) echo "balancer: HTTP_NAMES has '$name', which is no host name; try HTTP_NAMES=shop.example.com" >&2; exit 1 ;;
    \*.*) NAME_ENDS+=" ${name#\*}" ;;
    *) NAMES+=" $name" ;;
  esac
done
NAMES=${NAMES,,}
NAME_ENDS=${NAME_ENDS,,}
export NAMES NAME_ENDS ANY_NAME
