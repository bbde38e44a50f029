# make run    start mete with a simulated provider behind it, and print a line to try
# make test   build, unit and property tests, tests from outside
# make check  all that CI does: layers, tidy, tests, sanitizers, fuzzers, crash loops
# make proof  the proof suite for SECONDS (600) with SEED (1); its figures in build/proof/summary
# make bench  measure, with peers in the same run
# make install, make uninstall
#             the command, the library, header, mete.pc, manual and examples; PREFIX, DESTDIR
PREFIX = /usr/local
.PHONY: all run install uninstall test check proof bench asan tsan fuzz fmt clean packages packages-test

all: packages
	@cmake --preset release >/dev/null
	@cmake --build build --target product

packages:
	@tools/packages run

packages-test:
	@tools/packages test

run: all
	@tools/run

install uninstall: all
	@PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" tools/install $@ build

test: packages-test
	@tools/test

check: packages-test
	@tools/check

proof: packages-test
	@tools/proof $(or $(SECONDS),600) $(or $(SEED),1)

bench: all
	@tools/packages bench
	@cmake --build build --target bench_programs
	@bench/run

asan tsan: packages-test
	@tools/sanitize $@

fuzz: packages-test
	@tools/fuzz

fmt:
	@git ls-files '*.c' '*.h' | grep -v '^tables/' | xargs clang-format -i

clean:
	rm -rf build .run
