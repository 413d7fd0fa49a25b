/*
 * Filters of the module _stream: each takes a source and returns a new one.
 */
#include <stdlib.h>
#include <string.h>

#include "l_stream.h"
#include "lx.h"
#include "moonkeep/codec.h"
#include "moonkeep/encode.h"
#include "moonkeep/hash_filter.h"

/* Most chunks that a readahead may hold (of STREAM_CHUNK bytes). */
#define READAHEAD_MAX 64

/* Put what a constructor returned into the object on the stack's top, or raise. */
static int
acquired(lua_State *L, struct lx_source *made, struct source *src, const struct err *err)
{
        if (src == NULL)
                lx_raise(L, err);
        made->src = src;
        return 1;
}

static int
apply(lua_State *L, struct codec *codec, const struct err *made_err)
{
        struct err err;

        if (codec == NULL)
                lx_raise(L, made_err);
        struct lx_source *inner = lx_source_check(L, 1);
        struct lx_source *outer = lua_touserdata(L, -1);
        err_init(&err);
        return acquired(L, outer, codec_source(lx_source_take(inner), codec, &err), &err);
}

static int
level_of(lua_State *L, int most)
{
        lua_Integer level = luaL_optinteger(L, 2, 1);

        luaL_argcheck(L, level >= 1 && level <= most, 2, "no such compression level");
        return (int)level;
}

/* gzip(source, level 1-3) -> source */
static int
gzip(lua_State *L)
{
        int level = level_of(L, 3);
        struct err err;

        err_init(&err);
        lx_source_filter(L, 1, 0);
        return apply(L, codec_gzip_new(level, &err), &err);
}

/* zstd(source, level 1-19) -> source */
static int
zstd(lua_State *L)
{
        int level = level_of(L, 19);
        struct err err;

        err_init(&err);
        lx_source_filter(L, 1, 0);
        return apply(L, codec_zstd_new(level, &err), &err);
}

/* gunzip(source) -> source */
static int
gunzip(lua_State *L)
{
        struct err err;

        err_init(&err);
        lx_source_filter(L, 1, 0);
        return apply(L, codec_gunzip_new(&err), &err);
}

/* unzstd(source) -> source */
static int
unzstd(lua_State *L)
{
        struct err err;

        err_init(&err);
        lx_source_filter(L, 1, 0);
        return apply(L, codec_unzstd_new(&err), &err);
}

/* readahead(source, chunks) -> source: what is upstream runs on a thread of its own */
static int
readahead(lua_State *L)
{
        lua_Integer chunks = luaL_optinteger(L, 2, 8);
        struct err err;

        luaL_argcheck(L, chunks >= 2 && chunks <= READAHEAD_MAX, 2, "2 to 64");
        struct lx_source *inner = lx_source_check(L, 1);
        struct lx_source *outer = lx_source_filter(L, 1, 0);
        err_init(&err);
        return acquired(L, outer,
            readahead_source(lx_source_take(inner), (unsigned)chunks, outer->token, &err), &err);
}

/* progress(source, progress) -> source: counts what passes as bytes in */
static int
count_progress(lua_State *L)
{
        struct progress *progress = lx_progress_opt(L, 2);
        struct err err;

        luaL_argcheck(L, progress != NULL, 2, "progress expected");
        struct lx_source *inner = lx_source_check(L, 1);
        struct lx_source *outer = lx_source_filter(L, 1, 2);
        err_init(&err);
        return acquired(L, outer, progress_source(lx_source_take(inner), progress, &err), &err);
}

/* Digests. */

struct digest_box {
        struct stream_digest *digest;
        bool taken; /* by a stream, which fills it from another thread */
};

static void
digest_close(void *object)
{
        struct digest_box *box = object;

        stream_digest_free(box->digest);
        box->digest = NULL;
}

static void
push_hex(lua_State *L, const unsigned char *digest)
{
        char hex[SHA256_HEX_SIZE];

        hex_encode(digest, SHA256_SIZE, hex);
        lua_pushlstring(L, hex, SHA256_HEX_SIZE - 1);
}

/* digest:result() -> {bytes, part_size, parts, root, sha256}; raises before the stream's end */
static int digest_result(lua_State *L);

static const luaL_Reg digest_methods[] = {
        { "result", digest_result },
        { NULL, NULL },
};
static const struct lx_class digest_class = { "moonkeep.digest", digest_close, digest_methods,
        false };

static int
digest_result(lua_State *L)
{
        const struct stream_digest *digest =
            ((struct digest_box *)lx_check(L, 1, &digest_class))->digest;

        if (digest == NULL || !digest->complete)
                lx_fail(L, ERR_RECIPE, "the digested stream has not reached its end");
        size_t count = parts_digest_count(digest->parts);
        lua_createtable(L, 0, 5);
        lua_pushinteger(L, (lua_Integer)parts_digest_bytes(digest->parts));
        lua_setfield(L, -2, "bytes");
        lua_pushinteger(L, (lua_Integer)DIGEST_PART_SIZE);
        lua_setfield(L, -2, "part_size");
        lua_createtable(L, (int)count, 0);
        for (size_t idx = 0; idx < count; idx++) {
                push_hex(L, parts_digest_at(digest->parts, idx));
                lua_rawseti(L, -2, (lua_Integer)idx + 1);
        }
        lua_setfield(L, -2, "parts");
        push_hex(L, parts_digest_root(digest->parts));
        lua_setfield(L, -2, "root");
        if (digest->want_whole) {
                push_hex(L, digest->whole);
                lua_setfield(L, -2, "sha256");
        }
        return 1;
}

struct stream_digest *
lx_digest_take(lua_State *L, int arg)
{
        struct digest_box *box = lx_check(L, arg, &digest_class);

        if (box->digest == NULL || box->taken)
                lx_fail(L, ERR_RECIPE, "the digest belongs to another stream already");
        box->taken = true;
        return box->digest;
}

/* digest_new(whole) -> digest */
static int
digest_new(lua_State *L)
{
        bool whole = lua_toboolean(L, 1);
        struct digest_box *box = lx_new(L, &digest_class, sizeof(*box));
        struct err err;

        err_init(&err);
        box->digest = stream_digest_new(0, whole, &err);
        if (box->digest == NULL)
                lx_raise(L, &err);
        return 1;
}

/* digest(source, digest) -> source */
static int
digest(lua_State *L)
{
        struct err err;

        struct lx_source *inner = lx_source_check(L, 1);
        struct stream_digest *into = lx_digest_take(L, 2);
        struct lx_source *outer = lx_source_filter(L, 1, 2);
        err_init(&err);
        return acquired(L, outer, hash_source(lx_source_take(inner), into, &err), &err);
}

/* expect(source, parts, part_size, bytes) -> source: raises "corrupt" where a part differs */
static int
expect(lua_State *L)
{
        luaL_checktype(L, 2, LUA_TTABLE);
        lua_Integer part_size = luaL_checkinteger(L, 3);
        lua_Integer bytes = luaL_checkinteger(L, 4);
        lua_Unsigned count = lua_rawlen(L, 2);
        struct err err;

        if (part_size < 1 || bytes < 0 || count > DIGEST_PARTS_MAX)
                lx_fail(L, ERR_INVALID, "impossible part digests");
        err_init(&err);
        unsigned char *raw =
            lua_newuserdatauv(L, count != 0 ? count * SHA256_SIZE : SHA256_SIZE, 0);
        int raw_idx = lua_gettop(L);
        for (lua_Unsigned idx = 0; idx < count; idx++) {
                size_t len;
                lua_rawgeti(L, 2, (lua_Integer)idx + 1);
                const char *hex = lua_tolstring(L, -1, &len);
                if (hex == NULL ||
                    hex_decode(hex, len, raw + idx * SHA256_SIZE, SHA256_SIZE, &err) != 0)
                        lx_fail(L, ERR_INVALID, "part digest %llu is no SHA-256",
                            (unsigned long long)idx + 1);
                lua_pop(L, 1);
        }
        struct lx_source *inner = lx_source_check(L, 1);
        struct lx_source *outer = lx_source_filter(L, 1, raw_idx);
        return acquired(L, outer,
            expect_source(lx_source_take(inner), raw, (size_t)count, (size_t)part_size,
                (uint64_t)bytes, &err),
            &err);
}

const luaL_Reg lx_filter_functions[] = {
        { "gzip", gzip },
        { "gunzip", gunzip },
        { "zstd", zstd },
        { "unzstd", unzstd },
        { "readahead", readahead },
        { "progress", count_progress },
        { "digest_new", digest_new },
        { "digest", digest },
        { "expect", expect },
        { NULL, NULL },
};
