# Every verb. Plain `make` lists them.
.DEFAULT_GOAL := help
.PHONY: help up down clean logs ps scale dev

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

help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
