# sluice: build, test, lint, benchmarks, install. `make help` lists the targets.
.PHONY: all lib demo deps test suites tests unit system system-v2 golden lint lint-checks format \
        sanitize stress-tsan fuzz fuzz-replay bench bench-budget bench-kernels bench-loader \
        bench-schedule bench-tune bench-profile references published paper paper-quick install \
        uninstall clean help man

# Generated sources are kept.
.SECONDARY:

BUILD  ?= build
PREFIX ?= /usr/local
ifeq ($(origin CC),default)
CC     := gcc
endif
VERSION := 0.1.0

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
            -Wwrite-strings -Wvla -Wundef -Wformat=2
# Compilers that sluice was not built with may warn of more: make WERROR=
WERROR ?= -Werror
OPT      ?= -O2 -g
# make V=1 shows the commands.
V        ?=
Q        := $(if $(V),,@)
SAY      := $(if $(V),@:,@echo)
SANITIZE ?=
CPPFLAGS += -I. -I$(BUILD)/gen -D_GNU_SOURCE -DSL_VERSION='"$(VERSION)"'
CFLAGS   += -std=c11 $(OPT) $(WARNINGS) $(WERROR) -fvisibility=hidden -fPIC -pthread -MMD -MP $(SANITIZE)
LDFLAGS  += -pthread $(SANITIZE) -Wl,--as-needed
LIBS     := -lprotobuf-c -luring -lcgroup -ljansson -lm -ldl
# In the command the small ones are linked statically, where the archives are installed: loading them
# would be a fifth of the time that a process takes to start. OWN_LIBS='$(LIBS)' links them as the
# others are.
archived  = $(or $(filter /%,$(shell $(CC) -print-file-name=lib$(1).a)),-l$(1))
OWN_LIBS := $(foreach library,protobuf-c uring cgroup jansson,$(call archived,$(library))) -lm -ldl

PROTOS   := $(wildcard models/*.proto)
GEN_C    := $(PROTOS:%.proto=$(BUILD)/gen/%.pb-c.c)
GEN_H    := $(GEN_C:.c=.h)
# Files for the instruction sets of x86-64 are built for it only.
MACHINE  := $(shell $(CC) -dumpmachine 2>/dev/null)
NOT_HERE := %.inc.c $(if $(filter x86_64-%,$(MACHINE)),,%_avx2.c %_avx512.c)
LIB_C    := $(filter-out $(NOT_HERE),$(wildcard runtime/base/*.c runtime/engine/*.c iouring/*.c \
            cgroups/*.c kernels/*.c policies/*.c models/*.c models/layers/*.c)) \
            $(wildcard runtime/*.c runtime/input/*.c)
REPORT_C := $(wildcard runtime/report/*.c)
CLI_C    := $(wildcard runtime/cli/*.c)
TEST_C   := $(wildcard tests/unit/*.c)
TOPOLOGY := $(wildcard models/topologies/*.prototxt)
TOPO_C   := $(BUILD)/gen/models/topologies.c
DEVICES  := $(wildcard scripts/devices/*.yaml)
DEVICE_C := $(BUILD)/gen/scripts/devices.c

objects  = $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out $(BUILD)/%,$(1))) \
           $(patsubst $(BUILD)/gen/%.c,$(BUILD)/obj/gen/%.o,$(filter $(BUILD)/%,$(1)))
LIB_O    := $(call objects,$(LIB_C) $(GEN_C) $(if $(TOPOLOGY),$(TOPO_C)))
CLI_O    := $(call objects,$(REPORT_C) $(CLI_C) $(DEVICE_C))
REPORT_O := $(call objects,$(REPORT_C))
TEST_O   := $(call objects,$(TEST_C))
SKIPS_O  := $(call objects,tests/support/report_skips.c)
SUPPORT_O := $(filter-out $(SKIPS_O),$(call objects,$(wildcard tests/support/*.c)))

all: $(BUILD)/sluice lib ## build the command and the library (build/)
lib: $(BUILD)/libsluice.a $(BUILD)/libsluice.so

# The commit is compiled into one file, which is built again when it changes.
COMMIT := $(shell git describe --always --dirty --abbrev=12 2>/dev/null)
$(shell mkdir -p $(BUILD)/gen; echo '$(COMMIT)' | cmp -s - $(BUILD)/gen/commit || \
        echo '$(COMMIT)' > $(BUILD)/gen/commit)
$(BUILD)/obj/runtime/api_model.o: CPPFLAGS += -DSL_COMMIT='"$(COMMIT)"'
$(BUILD)/obj/runtime/api_model.o: $(BUILD)/gen/commit

# ---- set-up, tests, checks: what a newcomer and the CI call ------------------------------------
# The first run may install the compiler, which decides what is built: hence the second make.
deps: ## install the Debian packages that are missing (SLUICE_NO_INSTALL=1: name them)
	@sh scripts/deps.sh

demo: deps ## build, then the published policies on FaceNet with and without enough memory
	@$(MAKE) --no-print-directory $(BUILD)/sluice
	@sh scripts/demo.sh $(BUILD)

test: deps ## build and run all tests
	@$(MAKE) --no-print-directory suites

# All suites, one after the other, whatever the others say.
SUITES   := unit system fuzz-replay golden
PARALLEL := $(if $(findstring j,$(filter-out --%,$(MAKEFLAGS))),,-j$(shell nproc))
suites:
	@$(MAKE) --no-print-directory $(PARALLEL) all tests
	@failed=; for suite in $(SUITES); do \
	    $(MAKE) --no-print-directory $$suite || failed="$$failed $$suite"; done; \
	    [ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }

# Builds what the suites run.
tests: $(BUILD)/unit_tests $(BUILD)/system_tests \
       $(patsubst tests/fuzz/%.c,$(BUILD)/replay_%,$(wildcard tests/fuzz/fuzz_*.c))

golden: all ## tests of the command line against expected output
	@sh scripts/run_tests.sh $(BUILD) sh tests/golden/run.sh $(BUILD)

C_FILES = $(shell git ls-files '*.c' '*.h')
format: ## clang-format all C files
	clang-format -i $(C_FILES)

lint: ## formatting, static analysis, rules of the tree
	@sh scripts/deps.sh lint
	@$(MAKE) --no-print-directory lint-checks

lint-checks: $(GEN_H)
	@sh scripts/lint.sh $(BUILD)

SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
sanitize: ## all tests under ASan and UBSan
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan SANITIZE='$(SANITIZERS)' OPT='-O1 -g' suites

$(BUILD)/stress_threads: $(BUILD)/obj/tests/stress/stress_threads.o $(BUILD)/libsluice.a
	$(SAY) "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS) $^ $(LIBS) -o $@

stress-tsan: ## threads, loaders and executors under TSan
	@$(MAKE) --no-print-directory $(PARALLEL) BUILD=$(BUILD)/tsan SANITIZE=-fsanitize=thread \
	    OPT='-O1 -g' $(BUILD)/tsan/sluice $(BUILD)/tsan/stress_threads
	@sh scripts/stress_tsan.sh $(BUILD)/tsan

man: $(BUILD)/sluice ## write docs/man from the command tables
	sh scripts/man.sh $(BUILD)/sluice docs/man

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 16

# ---- install -----------------------------------------------------------------------------------
PUBLIC_H := $(addprefix runtime/base/,error.h export.h log.h) \
            $(addprefix cgroups/,cgroup.h supervisor.h) runtime/engine/events.h
SHARED   := libsluice.so.$(VERSION)
MAN_1    := $(wildcard docs/man/*.1)
MAN_5    := $(wildcard docs/man/*.5)
INTO     := $(DESTDIR)$(PREFIX)
# Installed headers find each other under <sluice/...>.
FLATTEN  := 's,^\#include "[a-z/]*/\([a-z_]*\.h\)",\#include <sluice/\1>,'

install: all ## to PREFIX (/usr/local), below DESTDIR
	install -d $(INTO)/bin $(INTO)/lib/pkgconfig $(INTO)/include/sluice $(INTO)/share/man/man1 \
	    $(INTO)/share/man/man5 $(INTO)/share/bash-completion/completions $(INTO)/share/zsh/site-functions \
	    $(INTO)/share/fish/vendor_completions.d
	install -m 755 $(BUILD)/sluice $(INTO)/bin/sluice
	install -m 644 $(BUILD)/libsluice.a $(INTO)/lib/libsluice.a
	install -m 755 $(BUILD)/libsluice.so $(INTO)/lib/$(SHARED)
	ln -sf $(SHARED) $(INTO)/lib/libsluice.so.0
	ln -sf libsluice.so.0 $(INTO)/lib/libsluice.so
	sed $(FLATTEN) runtime/sluice.h > $(INTO)/include/sluice.h
	for header in $(PUBLIC_H); do \
	    sed $(FLATTEN) $$header > $(INTO)/include/sluice/$$(basename $$header) || exit 1; done
	sed 's,@PREFIX@,$(PREFIX),; s,@VERSION@,$(VERSION),' scripts/sluice.pc.in \
	    > $(INTO)/lib/pkgconfig/sluice.pc
	install -m 644 $(MAN_1) $(INTO)/share/man/man1
	install -m 644 $(MAN_5) $(INTO)/share/man/man5
	$(BUILD)/sluice completion bash > $(INTO)/share/bash-completion/completions/sluice
	$(BUILD)/sluice completion zsh > $(INTO)/share/zsh/site-functions/_sluice
	$(BUILD)/sluice completion fish > $(INTO)/share/fish/vendor_completions.d/sluice.fish

uninstall: ## what install put there
	rm -f $(INTO)/bin/sluice $(INTO)/lib/libsluice.a $(INTO)/lib/$(SHARED) \
	    $(INTO)/lib/libsluice.so.0 $(INTO)/lib/libsluice.so $(INTO)/include/sluice.h \
	    $(addprefix $(INTO)/include/sluice/,$(notdir $(PUBLIC_H))) \
	    $(INTO)/lib/pkgconfig/sluice.pc $(addprefix $(INTO)/share/man/man1/,$(notdir $(MAN_1))) \
	    $(addprefix $(INTO)/share/man/man5/,$(notdir $(MAN_5))) \
	    $(INTO)/share/bash-completion/completions/sluice $(INTO)/share/zsh/site-functions/_sluice \
	    $(INTO)/share/fish/vendor_completions.d/sluice.fish
	-rmdir $(INTO)/include/sluice
# ------------------------------------------------------------------------------------------------

$(BUILD)/gen/%.pb-c.c $(BUILD)/gen/%.pb-c.h &: %.proto
	@mkdir -p $(BUILD)/gen
	$(SAY) "  GEN   $<"
	$(Q)protoc-c --c_out=$(BUILD)/gen $<

# Texts inside the program: name of the table's struct, its header, the files.
$(TOPO_C): TEXTS := sl_topology models/import.h $(TOPOLOGY)
$(TOPO_C): $(TOPOLOGY)
$(DEVICE_C): TEXTS := device_text runtime/cli/device_profile.h $(DEVICES)
$(DEVICE_C): $(DEVICES)
$(TOPO_C) $(DEVICE_C): scripts/embed_texts.sh
	@mkdir -p $(@D)
	$(SAY) "  GEN   $@"
	$(Q)sh scripts/embed_texts.sh $(TEXTS) > $@.tmp && mv $@.tmp $@

# Generated code is not held to our warnings.
$(BUILD)/obj/gen/%.o: $(BUILD)/gen/%.c | $(GEN_H)
	@mkdir -p $(@D)
	$(SAY) "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(filter-out -W%,$(CFLAGS)) -c $< -o $@

# Kernels for instruction sets chosen at run time: kernels/<name>_<isa>.c
# Nobody reads errno or floating-point flags of a kernel: that lets conditionals and square roots
# become vector code, and changes no value.
$(BUILD)/obj/kernels/%_avx2.o:   CFLAGS += -O3 -mavx2 -mfma -mf16c -ffp-contract=off
$(BUILD)/obj/kernels/%_avx512.o: CFLAGS += -O3 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma \
                                           -mprefer-vector-width=512 -ffp-contract=off
$(BUILD)/obj/runtime/base/%_avx2.o: CFLAGS += -O3 -mavx2
$(BUILD)/obj/kernels/%.o: CFLAGS += -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math

$(BUILD)/obj/%.o: %.c | $(GEN_H)
	@mkdir -p $(@D)
	$(SAY) "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c $< -o $@

$(BUILD)/libsluice.a: $(LIB_O)
	@rm -f $@
	$(SAY) "  AR    $@"
	$(Q)$(AR) rcs $@ $^

$(BUILD)/libsluice.so: $(LIB_O)
	$(SAY) "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS) -shared -Wl,-soname,libsluice.so.0 $^ $(LIBS) -o $@

$(BUILD)/sluice: $(CLI_O) $(BUILD)/libsluice.a
	$(SAY) "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS) $^ $(OWN_LIBS) -o $@

$(BUILD)/unit_tests: $(TEST_O) $(SKIPS_O) $(filter %/trace_rules.o %/deny_io_uring.o,$(SUPPORT_O)) \
                     $(filter-out %/main.o,$(CLI_O)) $(BUILD)/libsluice.a
	$(SAY) "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS) $^ $(LIBS) -lcriterion -ljpeg -lpng -o $@

unit: $(BUILD)/unit_tests ## unit and property tests
	@sh scripts/run_tests.sh $(BUILD) $(BUILD)/unit_tests $(UNIT_FLAGS)

# --- system tests: what the kernel enforces (cgroups, swap, throttling); skip without rights ---
SYSTEM_C     := $(wildcard tests/system/test_*.c)
SYSTEM_O     := $(call objects,$(SYSTEM_C))
SYSTEM_TOOLS := $(patsubst tests/system/%.c,$(BUILD)/tests/%,\
                $(filter-out $(SYSTEM_C),$(wildcard tests/system/*.c)))

$(BUILD)/tests/%: tests/system/%.c
	@mkdir -p $(@D)
	$(SAY) "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) -std=c11 -O2 -g $(WARNINGS) -pthread $< -o $@

$(BUILD)/system_tests: $(SYSTEM_O) $(SKIPS_O) $(SUPPORT_O) $(BUILD)/libsluice.a $(SYSTEM_TOOLS)
	$(SAY) "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS) $(filter-out $(SYSTEM_TOOLS),$^) $(LIBS) -lcriterion -lpng -o $@

# One after the other: they measure memory, swap and time of the whole machine.
system: $(BUILD)/system_tests $(BUILD)/sluice ## tests of what the kernel enforces
	@sh scripts/run_tests.sh $(BUILD) $(BUILD)/system_tests -j1 $(UNIT_FLAGS)

# The same under cgroup v2, in an emulated machine, which takes its time.
system-v2: $(BUILD)/system_tests ## the same under cgroup v2, in an emulated machine
	tests/system/v2_in_qemu.sh $(BUILD)

-include $(SYSTEM_O:.o=.d) $(SKIPS_O:.o=.d) $(SUPPORT_O:.o=.d)
# --- end of system tests ---

# ---- references: packs beside BVLC Caffe and OpenCV ---------------------------------------------
$(BUILD)/references: $(BUILD)/obj/tests/references/references.o $(SUPPORT_O) $(REPORT_O) \
                     $(BUILD)/libsluice.a
	$(SAY) "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS) $^ $(LIBS) -o $@

references: $(BUILD)/references ## outputs of real networks beside Caffe's and OpenCV's
	@$(BUILD)/references $(BUILD) || [ $$? = 77 ]

-include $(BUILD)/obj/tests/references/references.d

published: $(BUILD)/sluice ## the published policies over limits: the tables of docs/published.md
	@sh scripts/published.sh $(BUILD) || [ $$? = 77 ]

paper: $(BUILD)/sluice ## the published experiment, whole, and its report (hours; goes on when broken off)
	@sh scripts/paper/paper.sh $(BUILD) || [ $$? = 77 ]

paper-quick: $(BUILD)/sluice ## the same in ten minutes: fewer devices, one repetition
	@sh scripts/paper/paper.sh $(BUILD) --quick || [ $$? = 77 ]
# ----------------------------------------------------------------------------------------------

# ---- fuzz: search with libFuzzer, replay with the ordinary compiler ---------------------------
FUZZ_SECONDS ?= 60
FUZZ_C       := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_NAMES   := $(FUZZ_C:tests/fuzz/%.c=%)
FUZZ_CORPUS  := tests/fuzz/corpus

$(BUILD)/replay_%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/obj/tests/fuzz/replay.o \
                   $(BUILD)/libsluice.a
	$(SAY) "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS) $^ $(LIBS) -o $@

$(BUILD)/search_%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/libsluice.a
	$(SAY) "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS) -fsanitize=fuzzer $^ $(LIBS) -o $@

fuzz-replay: $(FUZZ_NAMES:%=$(BUILD)/replay_%) ## feed the kept inputs to the fuzz targets
	@set -e; for name in $(FUZZ_NAMES); do $(BUILD)/replay_$$name $(FUZZ_CORPUS)/$$name; done

# New inputs stay under build/; those worth keeping are copied to the corpus by hand.
fuzz: ## search for crashes for FUZZ_SECONDS per target (clang)
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=clang WARNINGS=-w OPT='-O1 -g' \
	    SANITIZE='$(SANITIZERS) -fsanitize=fuzzer-no-link' $(FUZZ_NAMES:%=$(BUILD)/fuzz/search_%)
	@set -e; for name in $(FUZZ_NAMES); do mkdir -p $(BUILD)/fuzz/corpus/$$name; \
	    $(BUILD)/fuzz/search_$$name -max_total_time=$(FUZZ_SECONDS) -timeout=10 \
	        -rss_limit_mb=1024 -artifact_prefix=$(BUILD)/fuzz/$$name- \
	        $(BUILD)/fuzz/corpus/$$name $(FUZZ_CORPUS)/$$name; done

-include $(FUZZ_C:%.c=$(BUILD)/obj/%.d) $(BUILD)/obj/tests/fuzz/replay.d
# ----------------------------------------------------------------------------------------------

clean: ## remove build/
	rm -rf $(BUILD)

# ---- bench-loader: the loaders beside fio ----------------------------------------------------
$(BUILD)/bench_loader: $(BUILD)/obj/tests/bench/bench_loader.o $(BUILD)/libsluice.a
	$(SAY) "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS) $^ $(LIBS) -o $@

bench-loader: $(BUILD)/bench_loader ## the loaders beside fio
	sh scripts/bench_loader.sh $(BUILD)
# ----------------------------------------------------------------------------------------------

# ---- bench-schedule: what deciding costs ------------------------------------------------------
$(BUILD)/bench_schedule: $(BUILD)/obj/tests/bench/bench_schedule.o $(BUILD)/libsluice.a
	$(SAY) "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS) $^ $(LIBS) -o $@

bench-schedule: $(BUILD)/bench_schedule ## what planning and a step of the schedule cost
	$(BUILD)/bench_schedule
# ----------------------------------------------------------------------------------------------

bench-profile: $(BUILD)/sluice ## what --profile and --trace cost in time and memory
	@sh scripts/bench_profile.sh $(BUILD)

$(BUILD)/wall_time: $(BUILD)/obj/tests/bench/wall_time.o $(BUILD)/libsluice.a
	$(SAY) "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS) $^ $(LIBS) -o $@

bench-budget: $(BUILD)/sluice $(BUILD)/wall_time ## what fits, how near the bound, every policy in every cell (hours)
	sh scripts/bench_budget.sh $(BUILD) || [ $$? = 77 ]

bench-tune: $(BUILD)/sluice ## tune beside exhaustive sweeps: how near the best, at what cost
	sh scripts/bench_tune.sh $(BUILD) || [ $$? = 77 ]

bench: bench-schedule bench-loader bench-kernels bench-tune bench-profile bench-budget ## all benchmarks, figures beside targets
# ----------------------------------------------------------------------------------------------

# ---- bench-kernels: warm compute beside OpenCV ------------------------------------------------
$(BUILD)/bench_kernels: $(BUILD)/obj/tests/bench/bench_kernels.o $(BUILD)/libsluice.a
	$(SAY) "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS) $^ $(LIBS) -o $@

bench-kernels: $(BUILD)/sluice $(BUILD)/bench_kernels ## warm compute beside OpenCV
	sh scripts/bench_kernels.sh $(BUILD)
# ----------------------------------------------------------------------------------------------

-include $(BUILD)/obj/tests/stress/stress_threads.d $(LIB_O:.o=.d) $(CLI_O:.o=.d) $(TEST_O:.o=.d)
