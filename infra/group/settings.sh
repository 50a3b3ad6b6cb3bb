# shellcheck shell=bash
# Which database a deployment has, and how its administrator reaches it. Sourced by infra/settings.sh.
: "${root:?}"

uses_group() { [ "$(setting DB single)" = group ]; }

# Ends the script where DB or GROUP_NETWORK has no meaning.
check_database() {
  case $(setting DB single) in
    single | group) ;;
    *) echo "DB='$(setting DB single)' is not single or group; try DB=group" >&2; exit 1 ;;
  esac
  [[ $(setting GROUP_NETWORK 10.213.47) =~ ^[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}$ ]] || {
    echo "GROUP_NETWORK='$(setting GROUP_NETWORK "")' is not the first three numbers of an address; try GROUP_NETWORK=10.213.47" >&2
    exit 1
  }
}

# Prints the volume that holds the sessions with this DB.
sessions_volume() { # sessions_volume DB
  if [ "$1" = group ]; then printf '%s_db-1' "$(setting COMPOSE_PROJECT_NAME hopproof)"
  else printf '%s_db' "$(setting COMPOSE_PROJECT_NAME hopproof)"; fi
}

# Prints the service in whose container `mysql --host=db` reaches the database: the database's own, or a member that runs.
database_client() {
  local member
  uses_group || { printf db; return; }
  for member in db-1 db-2 db-3; do
    [ -z "$("$root/infra/compose" ps --quiet --status running "$member")" ] || { printf %s "$member"; return; }
  done
  echo "no member of the group runs; type: make up" >&2
  return 1
}

# Sessions stay where they are: with another DB a start would find none.
refuse_other_database() {
  local other=group
  if uses_group; then other=single; fi
  docker volume inspect "$(sessions_volume $other)" >/dev/null 2>&1 || return 0
  give_up "DB=$(setting DB single), and the sessions of this deployment are in a database of the kind DB=$other;" \
    "nothing was changed. To move them: make move-database DB=$(setting DB single)"
}

# Each of the three takes 600 MB, and the rest of the deployment about 800.
refuse_little_memory() {
  local free_mb
  [ -r /proc/meminfo ] || return 0
  free_mb=$(awk '/^MemAvailable:/ {print int($2 / 1024)}' /proc/meminfo)
  [ "$free_mb" -ge 2600 ] || [ -n "$("$root/infra/compose" ps --quiet --status running db-1)" ] ||
    give_up "DB=group needs 2600 MB of memory, and this machine has $free_mb free; nothing was changed" \
      "free some, or try a machine with 4 GB, or DB=single"
}
