# The commands of this project. `make help` lists it.

# The tag lets the in-memory Kafka run in virtual time, so that no test waits for a session to time out.
TAGS := synctests
# How many pitches the long test simulates.
SOAK_PITCHES ?= 20000
# How many pitches a season has that is brought in from an archive: 600,000 need 60 GB of disk.
SEASON_PITCHES ?= 600000
# How many pitches the long kill test simulates, how often it kills a processor, and how often a server fails meanwhile.
CRASH_PITCHES ?= 200000
CRASH_KILLS ?= 100
CRASH_FAULTS ?= 24
# How many faults of whole clusters, and how many pitches meanwhile. The table of recoveries comes from it.
CHAOS_FAULTS ?= 54
CHAOS_PITCHES ?= 27000

# The linters, pinned.
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# The database of known vulnerabilities.
VULNDB := $(or $(GOVULNDB),https://vuln.go.dev)

.PHONY: help demo build test openapi quick race vectors fuzz fuzz-api bench client mutants schedules traces soak pooler hostile model matrix matrix-redis matrix-slice load at-least season rebuild-1m snapshot image images chart lint vuln clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

demo: ## a simulated game through the whole pipeline, on this machine (ARGS="--for 20s" ends it by itself)
	@deploy/build.sh
	@out/pitchstream demo $(ARGS)

build: ## the binary, in out/
	@deploy/build.sh

test: lint ## everything, on real servers where a container engine answers
	go test -tags $(TAGS) -timeout 30m ./...
	cd test/chart && go test ./...

openapi: ## docs/openapi.json and the other generated files anew
	go run ./cmd/gendocs
	PITCHSTREAM_UPDATE=1 go test -count=1 -run TestThePageIsThatOfTheDocument ./api

quick: ## what needs no server
	go test -tags $(TAGS) -short ./schemas/... ./features/... ./consumer/... ./sink/memsink/... ./sink/kafkasink/... ./simulate/... ./internal/config/... ./internal/tidy/...

race: ## the concurrent parts under the race detector
	go test -race -tags $(TAGS) -timeout 20m ./consumer/... ./sink/... ./features/...

vectors: ## the specification's vectors; PITCHSTREAM_VECTORS names the folder
	go test -tags $(TAGS) -count=1 -run Vectors ./...

fuzz: ## each fuzz target of the core for a minute
	for target in FuzzTransform:./features FuzzDecode:./features FuzzFloat:./features/internal/jsonscan FuzzShape:./features/internal/jsonscan; do \
		go test -run '^$$' -fuzz "^$${target%%:*}$$" -fuzztime 1m -fuzzminimizetime 10x $${target##*:} || exit 1; done

bench: ## the hot paths, and decoding beside other decoders; of stores and stream: pitchstream bench --help
	GOMAXPROCS=1 go test -run '^$$' -bench 'Transform|Valid|DecodingRatio' -benchmem ./features/
	go test -c -o out/features.test ./features
	cd features && rm -f ../out/decoding.txt && for round in 1 2 3 4 5 6; do \
		GOMAXPROCS=1 ../out/features.test -test.run '^$$' -test.bench 'Decoding$$' >> ../out/decoding.txt || exit 1; done
	go run golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da -row /records -col /by out/decoding.txt
	@echo 'The stores, the stream from Kafka and the latency: out/pitchstream bench (make build; --help tells of it)'

fuzz-api: ## ten minutes of what another program makes of the API's document, another each time
	PITCHSTREAM_FUZZ_SECONDS=600 PITCHSTREAM_FUZZ_SEED=$${RANDOM:-$$$$} go test -count=1 -timeout 20m -run TestServeKeepsItsDocument -v ./cmd/pitchstream

client: ## the types of the TypeScript client, anew from the API's document
	PITCHSTREAM_UPDATE=1 go test -count=1 -run TestTheTypeScriptClient ./cmd/pitchstream

mutants: ## remove every guard once, and require a test to fail (ARGS="-only PATTERN": some)
	go run ./test/mutants $(ARGS)

schedules: ## 10,000 random schedules on the in-memory Kafka, in virtual time
	PITCHSTREAM_SCHEDULES=10000 go test -tags $(TAGS) -count=1 -timeout 120m -run TestSchedules ./consumer

traces: ## 2,000 random schedules and a kill test of 20,000 pitches, each step compared with docs/model/Stream.tla
	PITCHSTREAM_SCHEDULES=2000 go test -tags $(TAGS) -count=1 -timeout 60m -run 'TestSchedules$$' ./consumer
	PITCHSTREAM_CRASH_STEPS=1 PITCHSTREAM_CRASH_PITCHES=20000 PITCHSTREAM_CRASH_KILLS=25 go test -tags $(TAGS) -count=1 -timeout 60m -v -run TheBooksBalance ./test/crash

soak: ## the long tests on real servers
	PITCHSTREAM_SOAK_PITCHES=$(SOAK_PITCHES) go test -tags $(TAGS) -count=1 -timeout 60m -run Books -v ./test/e2e
	PITCHSTREAM_CRASH_PITCHES=$(CRASH_PITCHES) PITCHSTREAM_CRASH_KILLS=$(CRASH_KILLS) PITCHSTREAM_CRASH_FAULTS=$(CRASH_FAULTS) \
		go test -tags $(TAGS) -count=1 -timeout 90m -v ./test/crash

pooler: ## the kill test of 20,000 pitches behind PgBouncer in transaction mode; some nine minutes
	PITCHSTREAM_CRASH_POOLER=transaction PITCHSTREAM_CRASH_PITCHES=20000 PITCHSTREAM_CRASH_KILLS=20 PITCHSTREAM_CRASH_FAULTS=6 \
		go test -tags $(TAGS) -count=1 -timeout 40m -run TestTheBooksBalanceWhateverDies -v ./test/crash

hostile: ## 1,000 batches that unpack to gigabytes, and dead letters that their topic refuses, with the peak of memory
	PITCHSTREAM_HOSTILE_BATCHES=$${PITCHSTREAM_HOSTILE_BATCHES:-1000} go test -tags $(TAGS) -count=1 -timeout 90m -run 'Hostile|Refuses' -v ./test/e2e

model: ## the models of docs/model: every state, and every guard removed (PITCHSTREAM_MODEL_FAULTS=2: two faults at a time)
	go test -count=1 -timeout 120m -v ./test/model

matrix: ## the tests of the whole system against every version of the servers; writes COMPATIBILITY.md (ARGS="-only PATTERN": some)
	go run ./test/matrix -write $(ARGS)

matrix-redis: ## every version of Redis and Valkey: one server, Sentinels, a cluster; under a minute each
	go run ./test/matrix -only 'Redis|Valkey' -write

matrix-slice: ## the oldest and the newest versions, with the stream vectors only
	go run ./test/matrix -only 'Kafka (3|4\.3)|PostgreSQL 1[48]' -tests TestVectorsStreamsOnRealServers

load: ## how soon and to how many the API answers, and two processors against one; wants the machine for itself
	PITCHSTREAM_LOAD=1 go test -count=1 -timeout 20m -v ./test/load

season: ## bring a season in from an archive on an S3 server, beside a live game, with kills (SEASON_PITCHES)
	PITCHSTREAM_SEASON_PITCHES=$(SEASON_PITCHES) go test -tags $(TAGS) -count=1 -timeout 4h -run TestASeasonFromTheArchive -v ./test/load

at-least: ## 1,000 reads of what was just written, while processors and Redis are killed
	PITCHSTREAM_ATLEAST_RUNS=1000 go test -count=1 -timeout 20m -run TestNoWriterReadsLessThanItWrote -v ./test/crash

rebuild-1m: ## rebuild redis and verify of 1,000,000 pitches, with figures (PITCHSTREAM_REBUILD_PITCHES=N: of N)
	PITCHSTREAM_REBUILD_PITCHES=$${PITCHSTREAM_REBUILD_PITCHES:-1000000} go test -tags $(TAGS) -count=1 -timeout 20m -run TestRebuildOfManyPitches -v ./cmd/pitchstream

snapshot: ## what a release consists of, in out/release: archives, packages, images, the chart, checksums (VERSION, PLATFORMS, SIGN_KEY)
	deploy/snapshot.sh

image: ## the container image pitchstream:dev
	docker build -f deploy/Dockerfile -t pitchstream:dev .

images: ## the pictures of docs/images anew, as the browser's test takes them
	PITCHSTREAM_SCREENSHOTS=$(CURDIR)/out/pictures go test -count=1 -timeout 15m -run 'TestDashboard$$' ./test/browser
	for view in game batters stream; do cp "out/pictures/$$view-light.png" "docs/images/$$view.png" || exit 1; done

chart: ## the Helm chart, rendered and held against Kubernetes' types
	cd test/chart && go vet ./... && go test -count=1 ./...

lint: ## formatting, vet, and the linters of .golangci.yml
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'run gofmt -w on these'; exit 1; }
	go run $(GOLANGCI) run ./...
	go vet ./...

vuln: ## known vulnerabilities in what the code calls; only a warning where their database (GOVULNDB) is out of reach
	@if curl -fsS -m 20 -o /dev/null "$(VULNDB)/index/modules.json.gz"; then \
		go run golang.org/x/vuln/cmd/govulncheck@v1.8.0 -db "$(VULNDB)" ./...; \
	else \
		echo 'WARNING: $(VULNDB) cannot be reached: NOT CHECKED for known vulnerabilities' >&2; \
	fi

clean: ## what was built
	rm -rf out

.PHONY: chaos
chaos: ## fail brokers, Postgres with its standby, Redis behind Sentinels, processors (CHAOS_FAULTS, CHAOS_PITCHES, CHAOS_SEED)
	CHAOS_WRITE=1 CHAOS_FAULTS=$(CHAOS_FAULTS) CHAOS_PITCHES=$(CHAOS_PITCHES) \
		go test -tags $(TAGS) -count=1 -timeout 10h -run TestTheBooksBalanceWhateverFails -v ./test/chaos

.PHONY: changes
changes: ## 1,000 clients of the feed of changes, cut at random; each ends at the table of Postgres
	PITCHSTREAM_TEST_CLIENTS=1000 go test -tags $(TAGS) -count=1 -timeout 20m -run TestClientsThatAreCut -v ./api

.PHONY: swaps
swaps: ## 20 promotes and rollbacks of a model under load, with kills: one score a row, of a version that was live
	PITCHSTREAM_CRASH_SWAPS=20 PITCHSTREAM_CRASH_PITCHES=6000 \
		go test -tags $(TAGS) -count=1 -timeout 20m -run TestEachRowHasOneScore -v ./test/crash
