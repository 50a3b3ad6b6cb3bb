# shellcheck shell=bash
# For the scripts of tests/, rivals/ and bench/: an engine, images, a Python environment; and a sweep at the end.
# Sourced. The sweep also runs after Ctrl-C: it removes containers by their label, and stops an engine that was
# started here. Downloads stay: packages, base images, the environment.

tests=$(CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=infra/settings.sh
. "$tests/../infra/settings.sh"
cd "$root" || exit 1
# shellcheck disable=SC2034  # used by the scripts that source this one
bin=$HOPPROOF_STATE/venv-tests/bin
run=$(od -An -N4 -tx1 /dev/urandom | tr -d ' \n')
export HOPPROOF_TEST_RUN=$run
engine_was_there=no

set_python() { infra/venv "$HOPPROOF_STATE/venv-tests" tests/requirements.lock; }

set_stage() { # set_stage IMAGE...
  if docker version >/dev/null 2>&1; then engine_was_there=yes; fi
  trap 'exit 130' INT TERM
  trap sweep EXIT
  infra/bare/engine ensure
  IMAGES=$(setting IMAGES auto) infra/bare/images/ensure "$@"
  infra/extra-ca-from-environment
  set_python
  export_images
  export IMAGES_ENV=$HOPPROOF_STATE/images.env
  # Containers are reached on published ports, and swept here: testcontainers' own sweeper is one more
  # image, which a machine without a registry cannot pull.
  export TESTCONTAINERS_HOST_OVERRIDE=127.0.0.1 TESTCONTAINERS_RYUK_DISABLED=true
}

sweep() {
  trap - EXIT INT TERM
  local left
  # By label: hopproof.test from testcontainers, the project's name from Compose.
  for project in $(docker ps --all --filter "label=com.docker.compose.project" \
      --format '{{.Label "com.docker.compose.project"}}' | grep "^hopproof-test-$run-" | sort -u); do
    docker compose --project-name "$project" down --volumes --timeout 1 >/dev/null 2>&1 || true
  done
  # Networks and volumes of a deployment that changed its kind of database: Compose knows them no more.
  for project in $(docker network ls --format '{{.Label "com.docker.compose.project"}}' | grep "^hopproof-test-$run-" | sort -u); do
    for kind in network volume; do
      docker "$kind" ls --quiet --filter "label=com.docker.compose.project=$project" | xargs -r docker "$kind" rm >/dev/null 2>&1 || true
    done
  done
  left=$(docker ps --all --quiet --filter "label=hopproof.test=$run") || true
  # shellcheck disable=SC2086  # a list of ids
  [ -z "$left" ] || docker rm --force --volumes $left >/dev/null
  docker images --format '{{.Repository}}:{{.Tag}}' | grep "^hopproof-test-$run-" | xargs -r docker rmi --force >/dev/null || true
  [ "$engine_was_there" = yes ] || infra/bare/engine stop
}
