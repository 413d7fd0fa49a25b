# One makefile for everything.  `make help` lists the targets.
#
# Variables: CC, CFLAGS (optimisation), WERROR=1, SAN=address|thread (a build
# of its own below build/san-NAME), V=1 (show commands), PREFIX, DESTDIR.

CC       ?= cc
CFLAGS   ?= -O2 -g
PREFIX   ?= /usr/local
V        ?=
Q        := $(if $(V),,@)

PKGS     := lua5.4 libcurl jansson libarchive libcrypto libzstd libisal
WARN     := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wformat=2 -Wvla $(if $(WERROR),-Werror)
HARDEN   := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE

ifeq ($(SAN),address)
SANFLAGS := -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=all -O1
OUT      := build/san-address
else ifeq ($(SAN),thread)
SANFLAGS := -fsanitize=thread -fno-omit-frame-pointer -O1
OUT      := build/san-thread
else
SANFLAGS :=
OUT      := build
endif
ifneq ($(SAN),)
HARDEN   := -fPIE
endif

ifneq ($(filter-out help clean deps format,$(or $(MAKECMDGOALS),all)),)
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
endif

CPPFLAGS += -D_GNU_SOURCE -Iinclude -I$(OUT)/gen $(PKG_CFLAGS)
ALL_CFLAGS = -std=c11 $(CFLAGS) $(WARN) $(HARDEN) $(SANFLAGS) -pthread
LDLIBS   += $(PKG_LIBS) -pthread
LDFLAGS  += -pie -Wl,-z,relro,-z,now -Wl,--as-needed

SRC      := $(wildcard src/*/*.c)
OBJ      := $(SRC:src/%.c=$(OUT)/obj/%.o)
LUA_SRC  := $(shell find lua recipes -name '*.lua' 2>/dev/null | LC_ALL=C sort)

.PHONY: all help
all: $(OUT)/moonkeep

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make            build build/moonkeep
$(OUT)/moonkeep: $(OBJ) $(OUT)/obj/main.o $(OUT)/obj/gen/scripts.o
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(OUT)/obj/main.o: src/main.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/obj/%.o: src/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Lua code and recipes, byte for byte.
$(OUT)/gen/scripts.c: scripts/embed $(LUA_SRC)
	@mkdir -p $(@D)
	$(Q)scripts/embed $(LUA_SRC) > $@.tmp && mv $@.tmp $@

$(OUT)/obj/gen/scripts.o: $(OUT)/gen/scripts.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

# Unit tests: one program for each tests/unit/test_NAME.c.
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(OUT)/unit/%)
.PHONY: unit
unit: $(UNIT_BIN)

.SECONDARY:
$(OUT)/obj/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/unit/%: $(OUT)/obj/tests/unit/%.o $(OUT)/obj/tests/harness/test.o $(OBJ) $(OUT)/obj/gen/scripts.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

-include $(shell find $(OUT)/obj -name '*.d' 2>/dev/null)

.PHONY: clean
clean:
	rm -rf build
