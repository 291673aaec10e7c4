# sluice: build, test, lint, benchmarks, install. `make help` lists the targets.
.PHONY: all lib demo deps test check unit system golden lint format sanitize fuzz-replay bench \
        bench-kernels bench-loader install uninstall clean help man depcheck

# Generated sources are kept.
.SECONDARY:

BUILD  ?= build
PREFIX ?= /usr/local
ifeq ($(origin CC),default)
CC     := gcc
endif
VERSION := 0.1.0

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
            -Wwrite-strings -Wvla -Wundef -Wformat=2 -Werror
OPT      ?= -O2 -g
SANITIZE ?=
CPPFLAGS += -I. -I$(BUILD)/gen -D_GNU_SOURCE -DSL_VERSION='"$(VERSION)"'
CFLAGS   += -std=c11 $(OPT) $(WARNINGS) -fvisibility=hidden -fPIC -pthread -MMD -MP $(SANITIZE)
LDFLAGS  += -pthread $(SANITIZE) -Wl,--as-needed
LIBS     := -lprotobuf-c -luring -lcgroup -ljansson -ljpeg -lpng -lm -ldl

PROTOS   := $(wildcard models/*.proto)
GEN_C    := $(PROTOS:%.proto=$(BUILD)/gen/%.pb-c.c)
GEN_H    := $(GEN_C:.c=.h)
# Files for the instruction sets of x86-64 are built for it only.
MACHINE  := $(shell $(CC) -dumpmachine)
NOT_HERE := %.inc.c $(if $(filter x86_64-%,$(MACHINE)),,%_avx2.c %_avx512.c)
LIB_C    := $(filter-out $(NOT_HERE),$(wildcard runtime/base/*.c runtime/engine/*.c iouring/*.c \
            cgroups/*.c kernels/*.c policies/*.c models/*.c models/layers/*.c)) \
            $(wildcard runtime/*.c runtime/input/*.c)
REPORT_C := $(wildcard runtime/report/*.c)
CLI_C    := $(wildcard runtime/cli/*.c)
TEST_C   := $(wildcard tests/unit/*.c)
TOPOLOGY := $(wildcard models/topologies/*.prototxt)
TOPO_C   := $(BUILD)/gen/models/topologies.c

objects  = $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out $(BUILD)/%,$(1))) \
           $(patsubst $(BUILD)/gen/%.c,$(BUILD)/obj/gen/%.o,$(filter $(BUILD)/%,$(1)))
LIB_O    := $(call objects,$(LIB_C) $(GEN_C) $(if $(TOPOLOGY),$(TOPO_C)))
CLI_O    := $(call objects,$(REPORT_C) $(CLI_C))
REPORT_O := $(call objects,$(REPORT_C))
TEST_O   := $(call objects,$(TEST_C))

all: $(BUILD)/sluice lib
lib: $(BUILD)/libsluice.a $(BUILD)/libsluice.so

$(BUILD)/gen/%.pb-c.c $(BUILD)/gen/%.pb-c.h &: %.proto
	@mkdir -p $(BUILD)/gen
	protoc-c --c_out=$(BUILD)/gen $<

$(TOPO_C): $(TOPOLOGY) scripts/embed_topologies.sh
	@mkdir -p $(@D)
	sh scripts/embed_topologies.sh $(TOPOLOGY) > $@.tmp && mv $@.tmp $@

# Generated code is not held to our warnings.
$(BUILD)/obj/gen/%.o: $(BUILD)/gen/%.c | $(GEN_H)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(filter-out -W%,$(CFLAGS)) -c $< -o $@

# Kernels for instruction sets chosen at run time: kernels/<name>_<isa>.c
# Nobody reads errno or floating-point flags of a kernel: that lets conditionals and square roots
# become vector code, and changes no value.
$(BUILD)/obj/kernels/%_avx2.o:   CFLAGS += -O3 -mavx2 -mfma -mf16c -ffp-contract=off
$(BUILD)/obj/kernels/%_avx512.o: CFLAGS += -O3 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma \
                                           -mprefer-vector-width=512 -ffp-contract=off
$(BUILD)/obj/kernels/%.o: CFLAGS += -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math

$(BUILD)/obj/%.o: %.c | $(GEN_H)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c $< -o $@

$(BUILD)/libsluice.a: $(LIB_O)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/libsluice.so: $(LIB_O)
	$(CC) $(LDFLAGS) -shared -Wl,-soname,libsluice.so.0 $^ $(LIBS) -o $@

$(BUILD)/sluice: $(CLI_O) $(BUILD)/libsluice.a
	$(CC) $(LDFLAGS) $^ $(LIBS) -o $@

$(BUILD)/unit_tests: $(TEST_O) $(REPORT_O) $(BUILD)/libsluice.a
	$(CC) $(LDFLAGS) $^ $(LIBS) -lcriterion -o $@

unit: $(BUILD)/unit_tests
	$(BUILD)/unit_tests $(UNIT_FLAGS)

# --- system tests: what the kernel enforces (cgroups, swap, throttling); skip without rights ---
SYSTEM_C     := $(wildcard tests/system/test_*.c)
SYSTEM_O     := $(call objects,$(SYSTEM_C))
SYSTEM_TOOLS := $(patsubst tests/system/%.c,$(BUILD)/tests/%,\
                $(filter-out $(SYSTEM_C),$(wildcard tests/system/*.c)))

$(BUILD)/tests/%: tests/system/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -std=c11 -O2 -g $(WARNINGS) -pthread $< -o $@

$(BUILD)/system_tests: $(SYSTEM_O) $(BUILD)/libsluice.a $(SYSTEM_TOOLS)
	$(CC) $(LDFLAGS) $(filter-out $(SYSTEM_TOOLS),$^) $(LIBS) -lcriterion -o $@

# One after the other: they measure memory, swap and time of the whole machine.
system: $(BUILD)/system_tests
	$(BUILD)/system_tests -j1 $(UNIT_FLAGS)

-include $(SYSTEM_O:.o=.d)
# --- end of system tests ---

clean:
	rm -rf $(BUILD)

# ---- bench-loader: the loaders beside fio ----------------------------------------------------
$(BUILD)/bench_loader: $(BUILD)/obj/tests/bench/bench_loader.o $(BUILD)/libsluice.a
	$(CC) $(LDFLAGS) $^ $(LIBS) -o $@

bench-loader: $(BUILD)/bench_loader
	sh scripts/bench_loader.sh $(BUILD)
# ----------------------------------------------------------------------------------------------

# ---- bench-kernels: warm compute beside OpenCV ------------------------------------------------
$(BUILD)/bench_kernels: $(BUILD)/obj/tests/bench/bench_kernels.o $(BUILD)/libsluice.a
	$(CC) $(LDFLAGS) $^ $(LIBS) -o $@

bench-kernels: $(BUILD)/sluice $(BUILD)/bench_kernels
	sh scripts/bench_kernels.sh $(BUILD)
# ----------------------------------------------------------------------------------------------

-include $(LIB_O:.o=.d) $(CLI_O:.o=.d) $(TEST_O:.o=.d)
