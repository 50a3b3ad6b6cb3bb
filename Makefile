# Every verb. Plain `make` lists them.
.DEFAULT_GOAL := help
.PHONY: help up down clean logs ps scale dev test lock

##@ Run
up: ## Set up what is missing and start everything (3 min on a bare machine, 10 s afterwards)
	@infra/up

down: ## Stop everything; sessions stay (20 s)
	@infra/compose down

clean: ## Stop everything; remove the sessions, their secrets and the images built here (20 s)
	@infra/clean

scale: ## Run N web servers: make scale N=5 (10 s)
	@test -n "$(N)" || { echo "say how many: make scale N=5" >&2; exit 2; }
	@infra/scale "$(N)"

##@ Look
ps: ## What runs
	@infra/compose ps

logs: ## Follow the logs of all containers (Ctrl-C ends)
	@infra/compose logs --follow --tail 20

##@ Develop
dev: ## One server on the memory handler, reloading, no engine needed: http://127.0.0.1:8000
	@infra/dev

test: ## Lint, types, unit, contract and integration tests, beside whatever runs (8 min, 12 on a bare machine)
	@tests/run

lock: ## Pin the newest versions of what the requirements.in ask for (needs uv)
	@infra/lock

help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
