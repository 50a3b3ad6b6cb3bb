# Every verb. Plain `make` lists them.
.DEFAULT_GOAL := help
.PHONY: help up down clean logs ps sessions deploy scale reload update move-database group-bootstrap loadtest loadtest-ui \
  dev verify verify-swarm lint test fuzz compare screenshots bench bench-scale check-kubernetes lock

##@ Run
up: ## Set up what is missing and start everything (3 min on a bare machine, 10 s afterwards)
	@infra/up

down: ## Stop everything; sessions stay (20 s)
	@infra/compose down

clean: ## Stop everything; remove the sessions, their secrets and the images built here (20 s)
	@infra/clean

##@ Change what runs; no request fails
deploy: ## Replace the web servers, one by one, after a change of the code or of .env (12 s each)
	@infra/deploy

scale: ## Run N web servers: make scale N=5 (10 s)
	@test -n "$(N)" || { echo "say how many: make scale N=5" >&2; exit 2; }
	@infra/scale "$(N)"

update: ## Renew the base images and deploy servers on them; says what else needs make up (4 min)
	@infra/update

reload: ## Let the balancer use the changed loadbalancer/haproxy.cfg; a broken one is refused (7 s)
	@infra/reload

move-database: ## Move the sessions into three databases, or back into one: DB=group, DB=single (2 min, visitors get 503)
	@infra/group/move

group-bootstrap: ## Make FORCE=db-2 the primary, although others that may have more do not answer
	@test -n "$(FORCE)" || { echo "say which: make group-bootstrap FORCE=db-2" >&2; exit 2; }
	@infra/group/bootstrap "$(FORCE)"

##@ Load
loadtest: ## Load the running stack with visitors that notice lost writes: USERS= DURATION= SHAPE= WORKERS= TARGET= (1 min)
	@loadtests/run

loadtest-ui: ## Start the same visitors from Locust's page: http://127.0.0.1:8089
	@loadtests/run ui

##@ Look
ps: ## List the containers
	@infra/compose ps

logs: ## Follow the logs of all containers (Ctrl-C ends)
	@infra/compose logs --follow --tail 20

sessions: ## Look at sessions, end them, clean: make sessions ARGS="list --user ada", ARGS=--help for the rest (2 s)
	@infra/sessions $(or $(ARGS),--help)

##@ Develop
dev: ## Run one server on the memory handler, with reload and without an engine: http://127.0.0.1:8000
	@infra/dev

verify: ## Judge every guarantee under every fault, on the running stack: ONLY= SEED= SABOTEUR= TARGET= (8 min)
	@tests/verify/run

verify-swarm: ## Break a swarm of three engines in containers while visitors count, and remove it: SABOTEUR= (5 min)
	@infra/swarm/verify

lint: ## Check without running anything: code, types, scripts, workflow, words, links, Compose file (10 s)
	@tests/lint

test: ## Run lint, types, all tests and a short verify, beside a running stack (15 min, 5 more on a bare machine)
	@tests/run

fuzz: ## Try requests, bytes, settings and rows that nobody thought of: MINUTES=10 (10 min)
	@tests/fuzz/run

compare: ## Show the writes that 24 other session stores lose: reports/compare.html (18 min)
	@loadtests/rivals/run

bench: ## Measure the speed of ours and other session stores, side by side: SYSTEMS= ROUNDS= (25 min)
	@loadtests/bench/run

bench-scale: ## Measure the cost of a large table, and of cleaning it: SESSIONS=1000000 REQUESTS=1000000 (1 h)
	@loadtests/bench/scale

check-kubernetes: ## Render the objects of infra/kubernetes and validate each; no cluster is asked (5 s, 50 the first time)
	@infra/kubernetes/check

screenshots: ## Photograph the page for the README, in light and dark: docs/page-*.png (1 min)
	@tests/browser/screenshots

lock: ## Pin the newest versions that the requirements.in allow (needs uv)
	@infra/lock

help: ## Print this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
