# What there is to do; each target installs what it needs when it may, and names it when it may not.

.PHONY: run test schemathesis endure lab recording-power-cuts sound-in-step sound-in-lab bench fuzz fuzz-campaign cross test-cross deb test-deb image test-image power-cuts relay-faults

run:    ## build, run and go live on http://localhost:8080, with the data in ./var
	@daemon/setup.sh build
	@echo "building first; then Perch is on http://localhost:8080 (Ctrl-C ends it)"
	@PERCH_LIVE_AUTOSTART=$${PERCH_LIVE_AUTOSTART:-true} PERCH_CAMERA_TONE=$${PERCH_CAMERA_TONE:-true} PERCH_DATA_DIR=$${PERCH_DATA_DIR:-var} \
	    cargo run --release --package perchd

test:   ## formatting, lints, licences, types and tests of the page, every test but the lab's
	@daemon/setup.sh build test
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings
	daemon/check-dependencies.sh
	npm run --silent check
	npm test --silent
	daemon/imports/check.py
	python3 -m unittest discover --quiet --start-directory daemon/imports
	python3 -m unittest discover --quiet --start-directory daemon/bench
	python3 -m unittest discover --quiet --start-directory daemon/lab
	python3 -m unittest discover --quiet --start-directory cross/tests
	python3 -m unittest discover --quiet --start-directory image/tests
	cargo test --workspace --no-fail-fast --quiet

SCHEMATHESIS_SECONDS ?= 300
schemathesis: ## the HTTP interface against its own document, SCHEMATHESIS_SECONDS long
	@daemon/setup.sh build test
	PERCH_SCHEMATHESIS_SECONDS=$(SCHEMATHESIS_SECONDS) cargo test --package perchd --test schemathesis

endure: ## sixteen streams for 5 minutes, 400 slow readers for 4; what came of it is written to daemon/endurance/*.txt
	@daemon/setup.sh build test
	cargo build --release --package perchd
	daemon/endurance/sixteen_streams.py target/release/perchd --table daemon/endurance/sixteen-streams.txt
	daemon/endurance/slow_readers.py target/release/perchd --table daemon/endurance/slow-readers.txt

lab:    ## perchd against real drivers in a virtual machine (daemon/lab)
	@daemon/setup.sh build
	daemon/lab/run.sh

relay-faults: ## a relay's server killed, frozen, cut off and slowed for six minutes, as root; table: daemon/endurance/relay-faults.txt
	@daemon/setup.sh build test
	cargo build --release --package perchd
	daemon/endurance/relay_faults.py target/release/perchd --table daemon/endurance/relay-faults.txt

ROUNDS ?= 100
recording-power-cuts: ## cuts the power of recordings ROUNDS times by replays and ROUNDS times by kills; table: daemon/lab/recording-power-cuts.txt
	@daemon/setup.sh build
	daemon/lab/recording-power-cuts.sh $(ROUNDS)

sound-in-step: ## a day of a microphone's sound at -1,000 to 1,000 ppm, in virtual time; table: daemon/studio/sound-in-step.txt
	@daemon/setup.sh build
	PERCH_TABLE=$(CURDIR)/daemon/studio/sound-in-step.txt cargo test --quiet --package perch-studio --lib a_day_of_sound_stays_in_step

SOUND_MINUTES ?= 30
sound-in-lab: ## the lab's microphone for SOUND_MINUTES at each of 1,000 and -1,000 ppm; table: daemon/lab/sound-in-lab.txt
	@daemon/setup.sh build
	out=$$(mktemp -d); PERCH_LAB_OUT=$$out PERCH_LAB_SOUND_MINUTES=$(SOUND_MINUTES) PERCH_LAB_SECONDS=$$((1200 + SOUND_MINUTES * 1200)) \
	    daemon/lab/run.sh 33 && cp $$out/33_microphone/table.txt daemon/lab/sound-in-lab.txt

bench:  ## Perch and its peers, measured on this machine (daemon/bench); RUNS=5 for medians of five runs, ONLY=tls for one of them
	@daemon/setup.sh build
	python3 daemon/bench/run.py $(if $(RUNS),--runs $(RUNS)) $(if $(ONLY),--only $(ONLY))

FUZZ_SECONDS ?= 60
fuzz:   ## every parser of foreign bytes, FUZZ_SECONDS each (daemon/fuzz)
	@daemon/setup.sh build
	daemon/fuzz/run.sh $(FUZZ_SECONDS)

fuzz-campaign: ## the same for an hour each, or FUZZ_SECONDS; writes how often each ran into daemon/fuzz/campaign.txt
	@daemon/setup.sh build
	nice daemon/fuzz/run.sh --table daemon/fuzz/campaign.txt $(if $(filter-out file,$(origin FUZZ_SECONDS)),$(FUZZ_SECONDS),3600)

TARGET ?= aarch64-unknown-linux-gnu
cross:  ## perchd for a board: TARGET=aarch64-…, armv7-… or x86_64-unknown-linux-gnu[eabihf] (cross/build.sh)
	cross/build.sh $(TARGET)

test-cross: cross ## the same, run under QEMU with Debian 12's libraries
	cross/test.sh $(TARGET)

deb:    ## the Debian package for TARGET (deb/build.sh)
	deb/build.sh $(TARGET)

test-deb: deb ## the package: lintian, its unit, installed, upgraded, removed and purged in Debian 12
	deb/test.sh $(TARGET)

FLAVOUR ?= debian
BOARD_PACKAGE = $$(ls -t $${CARGO_TARGET_DIR:-target}/aarch64-unknown-linux-gnu/debian/perch_*_arm64.deb | head -n 1)
image:  ## the image of a card, image/out/*.img.xz, for Raspberry Pis of 64 bits (image/README.md)
	@daemon/setup.sh build image
	@# Side by side: the program's last minutes are one processor's work, and the base can wait for those.
	@nice image/base.sh $(FLAVOUR) >/dev/null & base=$$!; \
	    $(MAKE) --no-print-directory deb TARGET=aarch64-unknown-linux-gnu; package=$$?; \
	    wait $$base && exit $$package
	image/build.sh $(FLAVOUR) "$(BOARD_PACKAGE)"

BUILT_IMAGE = $$(ls -t image/out/perch-*-debian.img* | head -n 1) $$(ls -t image/out/perch-*-debian.update | head -n 1)
# MINUTES=20 leaves out of the boot what would not fit, and says so at the end.
test-image: ## boots that image in QEMU and uses it (site, updates, power cuts), and builds it again: the same bytes
	@daemon/setup.sh image
	python3 image/boot_test/run.py $(BUILT_IMAGE) $(if $(MINUTES),--minutes $(MINUTES))
	image/build-again.sh "$(BOARD_PACKAGE)"

power-cuts: ## cuts its power 20 times at random, and writes what came of it to image/power-cuts.txt
	@daemon/setup.sh image
	python3 image/boot_test/power_cuts.py $(BUILT_IMAGE) --table image/power-cuts.txt
