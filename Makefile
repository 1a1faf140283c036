# recscale: what does a recommender cost on a cluster, and how good is it?
# Variables count only when given on the command line: some systems export NAME, HOST or DATA.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:
MAKEFLAGS += --no-print-directory

export PYTHONPATH := $(CURDIR)
python := .venv/bin/python

# $(call given,VARIABLE) is the variable's value if the command line set it, else nothing. It is for asking only: make's
# functions split at blanks and the shell knows quotes. Recipes have the shell read the value from their environment,
# where make puts every variable of the command line: "$$VARIABLE".
given = $(if $(filter command line,$(origin $(1))),$($(1)))
# $(call option,VARIABLE,--flag) is --flag="$VARIABLE" if the command line set it, else nothing.
option = $(if $(call given,$(1)),$(2)="$$$(1)")
# $(call setting,VARIABLE,key) is --set key="$VARIABLE" if the command line set it, else nothing.
setting = $(if $(call given,$(1)),--set $(2)="$$$(1)")
# $(call required,VARIABLE,example) stops with a usage line unless the command line set it.
required = $(if $(call given,$(1)),,$(error $(1) is missing: make $@ $(1)=$(2)))

ifneq ($(call given,DATA),)
export RECSCALE_DATA := $(if $(filter /% ~%,$(firstword $(DATA))),,$(CURDIR)/)$(DATA)
endif

ifneq ($(call given,HOST),)
export RECSCALE_HOST := $(HOST)
endif

ifneq ($(call given,STORE),)
export RECSCALE_STORE := $(STORE)
endif

ifneq ($(call given,BACKEND),)
export RECSCALE_BACKEND := $(BACKEND)
endif

shape := $(call setting,BACKEND,backend) $(call setting,WORKERS,spark.workers) $(call setting,CORES,spark.cores) \
         $(call setting,MEMORY,spark.memory) $(call setting,CASSANDRA,cassandra.nodes) $(call setting,RF,cassandra.rf) \
         $(call setting,KAFKA,kafka.brokers)
allow := $(if $(call given,ALLOW_MODEL_CHANGE),--allow-model-change)
trial_shape := $(call option,WORKERS,--workers) $(call option,CORES,--cores) $(call option,MEMORY,--memory)
sets := $(call option,SET,--sets)

.PHONY: $(shell awk -F: '/^[a-z-]+:/ {print $$1}' $(firstword $(MAKEFILE_LIST)))

help: ## This list of commands
	@echo 'recscale: what does a recommender cost on a cluster, how does that change, how good is it?'
	echo
	awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-19s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	echo
	echo '  DATA=/folder names a folder that holds publishers'"'"' unpacked data sets (ml-1m, ml-latest-small, ...).'

environment:
	@bash setup.sh

environment-dev:
	@bash setup.sh --dev

demo: ## The main job: cluster, data, models and baselines on 1 and 2 workers, recorded and compared [DATA=]
	@bash setup.sh || { echo 'demo: failed in setup.sh (see above)'; exit 1; }
	$(python) -m experiments demo

stream-demo: ## Streams from end to end: producers, Kafka, lake, Cassandra, reconciled, a model, one table [SHARE=1] [FORGET=user1-7]
	@bash setup.sh || { echo 'stream-demo: failed in setup.sh (see above)'; exit 1; }
	$(python) -m experiments stream-demo $(call option,SHARE,--share) $(call option,FORGET,--forget)

setup: environment ## Packages, then the cluster: WORKERS=2 CORES=1 MEMORY=2g [CASSANDRA=1] [RF=1] [KAFKA=1] [BACKEND=docker] [HOST=]
	@$(python) -m cluster up $(shape)

worker: environment ## Join workers of this machine to a master elsewhere: MASTER=spark://host:7077 HOST= [WORKERS= CORES= MEMORY=]
	@$(call required,MASTER,spark://192.168.1.5:7077)
	$(python) -m cluster worker --master="$$MASTER" $(shape)

preprocess: environment ## Fetch, clean and store: DATASET=movielens/1m [STORE=lake] [DATA=] [SET="clean.k_core=5"]
	@$(python) -m experiments preprocess --dataset="$(if $(call given,DATASET),$$DATASET,movielens/1m)" $(trial_shape) $(sets)

eda: environment ## Explore a data set on one page: DATASET=movielens/1m [STORE=cassandra] [DATA=] [SET="clean.k_core=5"]
	@$(call required,DATASET,movielens/1m)
	$(python) -m experiments eda --dataset="$$DATASET" $(trial_shape) $(sets)

train: environment ## One trial: MODEL=als DATASET=movielens/1m [SET="model.rank=32 model.reg=0.06"] [WORKERS= CORES= MEMORY=]
	@$(call required,MODEL,als)$(call required,DATASET,movielens/1m)
	$(python) -m experiments train --model="$$MODEL" --dataset="$$DATASET" $(trial_shape) $(sets)

stream-model: environment ## From the lake to a model, its RMSE and recommendations.csv: [SET="data.versions=users@3"] [WORKERS= CORES= MEMORY=]
	@$(python) -m experiments stream-model $(trial_shape) $(sets)

volume: environment ## Bytes a second, minute, hour, day and year at the measured sizes of messages: [RATE=1000]
	@$(python) -m experiments volume $(call option,RATE,--rate)

engine-limits: environment ## An iteration of the engine on 4 to 256 workers and up to ten billion ratings, by arithmetic from what was measured
	@$(python) -m experiments engine-limits

experiment: environment ## A grid of trials: NAME=als_scaling (resumes; `.venv/bin/python -m experiments list` names all)
	@$(call required,NAME,als_scaling)
	$(python) -m experiments run "$$NAME" $(call option,APPLICATIONS,--applications) $(call option,REPEATS,--repeats) $(allow)

report: environment ## Tables, plots and one HTML page from MLflow: NAME=als_scaling [ALLOW_MODEL_CHANGE=1]
	@$(call required,NAME,als_scaling)
	$(python) -m experiments report "$$NAME" $(allow)

gate: environment ## Is the working tree slower or worse than a revision? BASE=main [SPEC=gate] [PAIRS=10] [TOLERANCE=0.05]
	@$(call required,BASE,main)
	$(python) -m experiments gate --base="$$BASE" $(call option,PAIRS,--pairs) $(call option,TOLERANCE,--tolerance) \
	  $(sets) $(if $(call given,SPEC),"$$SPEC")

drill: environment ## Kill a part in the middle of a trial: KIND=executor|worker|driver|cassandra|mlflow|all [NAME=drill]
	@$(call required,KIND,worker)
	$(python) -m experiments drill "$$KIND" $(if $(call given,NAME),"$$NAME")

reconcile: environment ## Is every message where it belongs, exactly once? [LEDGER=/file] (exit 1 and a table of what differs if not)
	@$(python) -m experiments reconcile $(call option,LEDGER,--ledger)

stream-drill: environment ## Let something fail under streams, then reconcile: KIND=query|broker|cassandra|worker|disk|malformed|together|all [SEEDS=1,2,3] [TOTAL=1e6]
	@$(call required,KIND,query)
	$(python) -m experiments stream-drill "$$KIND" $(call option,SEEDS,--seeds) $(call option,TOTAL,--total)

forget: environment ## Erase one person from lake, dead letters and Cassandra, and reconcile: USER=u17
	@$(call required,USER,u17)
	$(python) -m experiments forget -- "$$USER"

plan: environment ## Choose and run a few cheap runs to predict larger ones from: NAME=capacity [BUDGET=15m] [VALIDATE=1]
	@$(call required,NAME,capacity)
	$(python) -m experiments plan "$$NAME" $(call option,BUDGET,--budget) $(call option,APPLICATIONS,--applications) \
	  $(if $(call given,VALIDATE),--validate)

predict: environment ## Time and memory of a job that was never run: ROWS=33e6 WORKERS=16 [CORES=1] [NAME=capacity]
	@$(call required,ROWS,33e6)$(call required,WORKERS,16)
	$(python) -m experiments predict --rows="$$ROWS" --workers="$$WORKERS" $(call option,CORES,--cores) $(call option,NAME,--of)

recommend: environment ## The cheapest shape that keeps a deadline: ROWS=33e6 DEADLINE=30m PRICE=0.40 [CORES= MEMORY= NAME=]
	@$(call required,ROWS,33e6)$(call required,DEADLINE,30m)$(call required,PRICE,0.40)
	$(python) -m experiments recommend --rows="$$ROWS" --deadline="$$DEADLINE" --price-per-worker-hour="$$PRICE" \
	  $(call option,CORES,--cores) $(call option,MEMORY,--memory) $(call option,NAME,--of)

reports: environment ## The page of every recorded experiment, of streams and their drills, and the index (.run/reports/index.html)
	@$(python) -m experiments reports

rename-metrics: environment ## Give the metrics of older runs in MLflow the names of this version
	@$(python) -m experiments rename-metrics

produce: environment ## Messages for Kafka: NAME=ratings [RATE=1e3] [TOTAL=1e5] [SEED=1] [DATASET=] [SPEED=] [LANGUAGE=en] [LEDGER=file] [BAD=0.01]
	@$(call required,NAME,ratings)
	$(python) -m experiments produce "$$NAME" $(call option,RATE,--rate) $(call option,TOTAL,--total) $(call option,SEED,--seed) \
	  $(call option,DATASET,--dataset) $(call option,SPEED,--speed) $(call option,LANGUAGE,--language) \
	  $(call option,LEDGER,--ledger) $(call option,BAD,--bad)

stream-rate: environment ## The rate of messages that a stream keeps up with: NAME=lake|feedback [STREAM_CORES=1] [TRIGGER=10s] [DATASET=]
	@$(call required,NAME,lake)
	$(python) -m experiments stream-rate "$$NAME" $(call option,STREAM_CORES,--stream-cores) $(call option,TRIGGER,--trigger) \
	  $(call option,DATASET,--dataset)

stream-latency: environment ## From a message's intended sending to its visible row: NAME=lake|feedback [RATE=1000,5000] [TRIGGER=10s] [REPEATS=3]
	@$(call required,NAME,lake)
	$(python) -m experiments stream-latency "$$NAME" $(call option,RATE,--rate) $(call option,TRIGGER,--trigger) \
	  $(call option,REPEATS,--repeats) $(call option,STREAM_CORES,--stream-cores) $(call option,DATASET,--dataset)

stream-scaling: environment ## What partitions, workers and brokers bring a stream: NAME=lake|feedback [OVER="partitions=1,2,4 workers=1,2 brokers=1,3"] [REPEATS=3]
	@$(call required,NAME,lake)
	$(python) -m experiments stream-scaling "$$NAME" $(call option,OVER,--over) $(call option,REPEATS,--repeats) \
	  $(call option,DATASET,--dataset)

cost-of-correctness: environment ## What each guarantee of a stream costs: NAME=lake|feedback [ROWS=1e6] [REPEATS=3] [BAD=0.001] [BATCHES=1000]
	@$(call required,NAME,lake)
	$(python) -m experiments cost-of-correctness "$$NAME" $(call option,ROWS,--rows) $(call option,REPEATS,--repeats) \
	  $(call option,BAD,--bad) $(call option,BATCHES,--batches)

topics: environment ## Kafka's topics, what they hold, and the lag of each stream: [PARTITIONS=1]
	@$(python) -m experiments topics $(if $(call given,PARTITIONS),--partitions)

mlflow: environment ## The MLflow UI, on the address that it prints
	@$(python) -m cluster mlflow

history: environment ## Spark's own pages of the applications that ran, on the address that it prints
	@$(python) -m experiments history

stream: environment ## Kafka's topics into the lake, Cassandra: NAME=lake|feedback|refresh|tastes [STREAM_CORES=1] [DRAIN=1] [TRIGGER=10s] [STREAM_SET="lake.topics=ratings"]
	@$(call required,NAME,lake)
	$(python) -m experiments stream "$$NAME" $(call option,STREAM_CORES,--stream-cores) $(if $(call given,DRAIN),--drain) \
	  $(call option,TRIGGER,--trigger) $(call option,STREAM_SET,--sets)

publish: environment ## A new model takes the place of the one whose lists readers see: MODEL_FOLDER=/folder/of/lists.npz [DAYS=30]
	@$(call required,MODEL_FOLDER,.run/experiments/train/.../model)
	$(python) -m experiments publish "$$MODEL_FOLDER" $(call option,DAYS,--days)

freshness: environment ## From a like to a list that has it, through the stream and made at read [RATE=20] [ROUNDS=1]
	$(python) -m experiments freshness $(call option,RATE,--rate) $(call option,ROUNDS,--rounds)

stream-report: environment ## The page of a stream's run, while it goes on or after: rates, batches, lag, state [NAME=lake] [START=20261129-230752-552011]
	@$(python) -m experiments stream-report $(if $(call given,NAME),"$$NAME") $(call option,START,--start)

lake-compact: environment ## Put small files of the lake together, remove those that no version of the last hours needs [TOPICS=] [HOURS=24]
	@$(python) -m experiments lake compact $(call option,TOPICS,--topics) $(call option,HOURS,--keep-hours)

lake-export: environment ## The lake's tables as plain Parquet: TO=folder [TOPICS=ratings] [VERSION=3]
	@$(call required,TO,lake-export)
	$(python) -m experiments lake export --to="$$TO" $(call option,TOPICS,--topics) $(call option,VERSION,--version)

dead-letters: environment ## Take dead letters out for mending: FILE=letters.jsonl [TOPICS=] [REASONS="wrong type"]
	@$(call required,FILE,letters.jsonl)
	$(python) -m experiments lake take --file="$$FILE" $(call option,TOPICS,--topics) $(call option,REASONS,--reasons)

replay-dead: environment ## Send mended letters again: FILE=letters.jsonl
	@$(call required,FILE,letters.jsonl)
	$(python) -m experiments lake send --file="$$FILE"

status: environment ## What runs where
	@$(python) -m cluster status

logs: environment ## The log of one service: S=spark-master
	@$(call required,S,spark-master)
	$(python) -m cluster logs "$$S"

shell: environment ## A prompt beside a service: S=spark-master (in its container: docker exec -it spark-master bash)
	@$(call required,S,spark-master)
	$(python) -m cluster shell "$$S"

compose: environment ## The compose file of the services, as BACKEND=docker runs them
	@$(python) -m cluster compose $(shape) --set backend=docker

down: environment ## Stop every service that recscale started
	@$(python) -m cluster down

doctor: ## Check Java, Python, memory, ports and versions, and say how to mend each
	@[ -x $(python) ] || bash setup.sh
	$(python) -m cluster doctor $(shape)

clean: environment ## Stop everything and remove all that was made, recorded runs too; downloads stay
	@$(python) -m cluster clean

static: environment-dev ## Lint, types, import contracts
	@$(python) -m ruff check .
	$(python) -m ruff format --check --quiet .
	$(python) -m mypy
	.venv/bin/lint-imports

check: static ## The same, and tests without a JVM (a minute or two)
	@$(python) -m pytest -q -n 2 tests/unit tests/contracts

test: check ## The same, and tests on a real Spark cluster, but those of a minute or more [DATA=]
	@$(python) -m pytest -n 2 --no-loadscope-reorder -m "not long" tests/e2e tests/spark

test-hosts: environment-dev ## Tests on several machines made of network namespaces (root; `ip` of iproute2)
	@$(python) -m pytest tests/hosts

test-containers: image ## The same services in containers, on a Docker engine
	@$(python) -m pytest tests/containers

image: environment-dev
	@$(python) -m cluster image

test-classes: environment-dev
	@$(python) -c 'from tests.conftest import share_classes; share_classes()'

test-all: ## Everything that has a test, long ones, several machines and containers too, in one count [DATA=]
	@$(MAKE) -j 3 --output-sync=target static image test-classes  # their minutes are no test's
	$(python) -m pytest -n 2 --no-loadscope-reorder tests/unit tests/contracts tests/containers tests/e2e tests/hosts tests/spark

format: environment-dev
	@$(python) -m ruff check --fix .
	$(python) -m ruff format .
