# One makefile for everything.  `make help` lists the targets.
#
# Variables: CC, CFLAGS (optimisation), WERROR=1, SAN=address|thread (a build
# of its own below build/san-NAME), V=1 (show commands), PREFIX, DESTDIR,
# TESTS="PATTERN..." (which tests), FUZZ_SECONDS (each fuzzer).

CC       ?= cc
CFLAGS   ?= -O2 -g
PREFIX   ?= /usr/local
V        ?=
Q        := $(if $(V),,@)
FUZZ_SECONDS ?= 20

PKGS     := lua5.4 libcurl jansson libarchive libcrypto libzstd libisal expat yaml-0.1
WARN     := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wformat=2 -Wvla $(if $(WERROR),-Werror)
HARDEN   := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE

ifeq ($(SAN),address)
SANFLAGS := -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=all -O1 -g1
OUT      := build/san-address
else ifeq ($(SAN),thread)
SANFLAGS := -fsanitize=thread -fno-omit-frame-pointer -O1 -g1
OUT      := build/san-thread
else ifeq ($(SAN),fuzz)
CC       := clang
SANFLAGS := -fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer \
            -fno-sanitize-recover=all -O1
OUT      := build/fuzz
else
SANFLAGS :=
OUT      := build
endif
ifneq ($(SAN),)
HARDEN   := -fPIE
endif

# These build nothing themselves, or install first and call make again.
LIGHT    := help clean deps format demo test test-ready check bench bench-e2e e2e fuzz install
ifneq ($(filter-out $(LIGHT),$(or $(MAKECMDGOALS),all)),)
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>&1)
ifneq ($(.SHELLSTATUS),0)
$(error libraries are missing; `make deps` installs them: $(PKG_CFLAGS))
endif
PKG_LIBS   := $(shell pkg-config --libs $(PKGS))
endif

CPPFLAGS += -D_GNU_SOURCE -Iinclude -I$(OUT)/gen $(PKG_CFLAGS)
ALL_CFLAGS = -std=c11 $(CFLAGS) $(WARN) $(HARDEN) $(SANFLAGS) -pthread
LDLIBS   += $(PKG_LIBS) -lm -pthread
LDFLAGS  += -pie -Wl,-z,relro,-z,now -Wl,--as-needed

SRC      := $(wildcard src/*/*.c)
OBJ      := $(SRC:src/%.c=$(OUT)/obj/%.o)
LUA_SRC  := $(shell find lua recipes -name '*.lua' 2>/dev/null | LC_ALL=C sort)

# Targets that call make again use all processors unless told otherwise.
SUBMAKE   = $(MAKE) $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: all
all: $(OUT)/moonkeep

# `sudo make`: root installs packages, and the owner of the tree builds in it.
ifeq ($(shell id -u):$(SUDO_UID),0:$(shell stat -c %u .))
ifneq ($(SUDO_UID),0)
AS_OWNER := setpriv --reuid=$(SUDO_UID) --regid=$(SUDO_GID) --init-groups \
            env -u SUDO_UID HOME=$(shell getent passwd $(SUDO_UID) | cut -d: -f6)
endif
endif

ifneq ($(and $(AS_OWNER),$(if $(filter install,$(MAKECMDGOALS)),,wrap)),)
GOALS := $(or $(MAKECMDGOALS),all)
.PHONY: as-owner $(GOALS)
$(GOALS): as-owner ;
as-owner:
	@scripts/bootstrap build $(filter test check,$(GOALS:test-ready=test))
	@$(if $(filter test,$(GOALS:test-ready=test)),scripts/bootstrap stores || :)
	@$(AS_OWNER) $(MAKE) $(GOALS)
else

.PHONY: help
help:
	@sed -n 's/^## //p' $(firstword $(MAKEFILE_LIST))

## make            build build/moonkeep
$(OUT)/moonkeep: $(OBJ) $(OUT)/obj/main.o $(OUT)/obj/gen/scripts.o
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(OUT)/obj/main.o: src/main.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/obj/%.o: src/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Lua code and recipes, byte for byte.  The list notices a file that went.
.PHONY: force
$(OUT)/gen/scripts.list: force
	@mkdir -p $(@D)
	@echo '$(LUA_SRC)' | cmp -s - $@ || echo '$(LUA_SRC)' > $@

$(OUT)/gen/scripts.c: scripts/embed $(LUA_SRC) $(OUT)/gen/scripts.list
	@mkdir -p $(@D)
	$(Q)scripts/embed $(LUA_SRC) > $@.tmp && mv $@.tmp $@

$(OUT)/obj/gen/scripts.o: $(OUT)/gen/scripts.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

# What tests and fuzzers are linked with: an archive, of which each gets what it uses.
$(OUT)/obj/moonkeep.a: $(OBJ) $(OUT)/obj/gen/scripts.o
	@rm -f $@
	$(Q)ar rcs $@ $^

# Unit tests: one program for each tests/unit/test_NAME.c.  What tests share is
# an archive: a test gets only what it asks for.
HARNESS_SRC := $(filter-out tests/harness/faultshim.c tests/unit/test_%,\
               $(wildcard tests/harness/*.c tests/unit/*.c))
HARNESS_OBJ := $(HARNESS_SRC:%.c=$(OUT)/obj/%.o)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(OUT)/unit/%)
.PHONY: unit
unit: $(UNIT_BIN)

# Tests are compiled more often than they run.
.SECONDARY:
$(OUT)/obj/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests $(ALL_CFLAGS) -O1 -g1 -MMD -MP -c -o $@ $<

$(OUT)/obj/tests/harness.a: $(HARNESS_OBJ)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(OUT)/unit/%: $(OUT)/obj/tests/unit/%.o $(OUT)/obj/tests/harness.a $(OUT)/obj/moonkeep.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Servers that tests talk to, and what is preloaded into moonkeep to break it.
SERVER_SRC := $(wildcard tests/servers/*.c)
SERVER_BIN := $(SERVER_SRC:tests/servers/%.c=$(OUT)/servers/%)
KUBE_API_OBJ := $(patsubst %.c,$(OUT)/obj/%.o,$(wildcard tests/servers/kube_api/*.c))
HTTP_SCRIPT_OBJ := $(patsubst %.c,$(OUT)/obj/%.o,$(wildcard tests/servers/http_script/*.c))
.PHONY: test-programs
test-programs: unit $(SERVER_BIN) $(OUT)/faultshim.so

$(OUT)/servers/kube_api: $(KUBE_API_OBJ)
$(OUT)/servers/http_script: $(HTTP_SCRIPT_OBJ)
$(OUT)/servers/tls_front: LDLIBS += $(shell pkg-config --libs libssl)
$(OUT)/servers/%: $(OUT)/obj/tests/servers/%.o $(OUT)/obj/tests/harness.a $(OUT)/obj/moonkeep.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS)

$(OUT)/faultshim.so: tests/harness/faultshim.c
	@mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE -std=c11 $(CFLAGS) $(WARN) -fPIC -shared -o $@ $<

# Fuzzers: one program for each tests/fuzz/fuzz_NAME.c, made with SAN=fuzz.
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(OUT)/%)
.PHONY: fuzzers
fuzzers: $(FUZZ_BIN)

$(OUT)/fuzz_%: $(OUT)/obj/tests/fuzz/fuzz_%.o $(OUT)/obj/moonkeep.a
	$(Q)$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(LDLIBS)

# What another compiler says of all sources, without making anything.
SYNTAX := $(patsubst %,syntax/%,$(SRC) src/main.c $(HARNESS_SRC) $(UNIT_SRC) $(SERVER_SRC) \
          $(wildcard tests/servers/*/*.c) $(FUZZ_SRC))
.PHONY: syntax $(SYNTAX)
syntax: $(SYNTAX)

$(SYNTAX): syntax/%:
	$(Q)$(CC) $(CPPFLAGS) -Itests $(ALL_CFLAGS) -fsyntax-only $*

-include $(shell find $(OUT)/obj -name '*.d' 2>/dev/null)

## make deps       install the packages that building needs (nothing, when all are there)
## make demo       a real Prometheus backed up, destroyed, restored and compared
## make test       install what tests need, build, run them all; TESTS="PATTERN..." some
## make check      layers, format, linters, generated docs; what is not installed is skipped
## make e2e        tests on the cluster that KUBECONFIG names, in namespaces of their own
## make bench      speed and memory beside tar, zstd, aws, rclone and s3cmd
## make bench-e2e  streams of a pod beside kubectl, on the cluster that KUBECONFIG names
## make fuzz       each fuzzer for FUZZ_SECONDS (20)
.PHONY: deps demo test test-ready check e2e bench bench-e2e fuzz format install clean
deps:
	@scripts/bootstrap build

demo: deps
	@$(SUBMAKE) all
	@scripts/tools prometheus
	@scripts/demo

test: test-ready
	@scripts/run-tests $(TESTS)

# All that tests need.
test-ready:
	@scripts/bootstrap build test
	@tests/servers/stores install
	@$(SUBMAKE) all test-programs
	@scripts/tools prometheus

check:
	@scripts/check

e2e: deps
	@$(SUBMAKE) all
	@scripts/e2e $(TESTS)

bench: deps
	@$(SUBMAKE) all test-programs
	@scripts/bench

bench-e2e: deps
	@$(SUBMAKE) all
	@scripts/bench-e2e

fuzz:
	@$(SUBMAKE) SAN=fuzz fuzzers
	@FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/run-fuzzers $(FUZZERS)

## make format     lay the C files out with clang-format 14
format:
	scripts/check --format

## make install    the program and its manual pages, below DESTDIR and PREFIX (/usr/local)
install:
	@$(AS_OWNER) $(SUBMAKE) all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $(OUT)/moonkeep $(DESTDIR)$(PREFIX)/bin/moonkeep
	$(foreach page,$(wildcard docs/man/*.1),\
	    install -m 644 $(page) $(DESTDIR)$(PREFIX)/share/man/man1/ &&) :

## make clean      remove build/
clean:
	rm -rf build
endif
