/*
 * _digest: SHA-256, MD5 and text forms of bytes.
 */
#include "lx.h"
#include "moonkeep/digest.h"
#include "moonkeep/encode.h"
#include "moonkeep/md5.h"

#define TEXT_MAX ((size_t)64 * 1024 * 1024)

/* sha256(bytes) -> hex */
static int
sha256_hex(lua_State *L)
{
        size_t len;
        const char *bytes = luaL_checklstring(L, 1, &len);
        unsigned char digest[SHA256_SIZE];
        char hex[SHA256_HEX_SIZE];
        struct err err;

        err_init(&err);
        if (sha256_bytes(bytes, len, digest, &err) != 0)
                lx_raise(L, &err);
        hex_encode(digest, sizeof(digest), hex);
        lua_pushstring(L, hex);
        return 1;
}

/* sha256_raw(bytes) -> 32 bytes */
static int
sha256_raw(lua_State *L)
{
        size_t len;
        const char *bytes = luaL_checklstring(L, 1, &len);
        unsigned char digest[SHA256_SIZE];
        struct err err;

        err_init(&err);
        if (sha256_bytes(bytes, len, digest, &err) != 0)
                lx_raise(L, &err);
        lua_pushlstring(L, (const char *)digest, sizeof(digest));
        return 1;
}

/* md5_raw(bytes) -> 16 bytes */
static int
md5_raw(lua_State *L)
{
        size_t len;
        const char *bytes = luaL_checklstring(L, 1, &len);
        unsigned char digest[MD5_SIZE];
        struct err err;

        err_init(&err);
        if (md5_bytes(bytes, len, digest, &err) != 0)
                lx_raise(L, &err);
        lua_pushlstring(L, (const char *)digest, sizeof(digest));
        return 1;
}

struct text {
        struct buf buf;
};

static void
text_close(void *object)
{
        buf_free(&((struct text *)object)->buf);
}

static const struct lx_class text_class = { "moonkeep.digest.text", text_close, NULL, false };

static int
convert(lua_State *L, int (*fn)(const char *, size_t, struct buf *, struct err *))
{
        size_t len;
        const char *bytes = luaL_checklstring(L, 1, &len);
        struct text *text = lx_new(L, &text_class, sizeof(*text));
        struct err err;

        buf_init(&text->buf, TEXT_MAX);
        err_init(&err);
        if (fn(bytes, len, &text->buf, &err) != 0)
                lx_raise(L, &err);
        lua_pushlstring(L, text->buf.data != NULL ? text->buf.data : "", text->buf.len);
        text_close(text);
        return 1;
}

static int
to_base64(const char *bytes, size_t len, struct buf *out, struct err *err)
{
        return base64_encode(bytes, len, out, err);
}

static int
to_url(const char *bytes, size_t len, struct buf *out, struct err *err)
{
        return url_encode(bytes, len, 0, out, err);
}

/* base64(bytes) -> text */
static int
base64(lua_State *L)
{
        return convert(L, to_base64);
}

/* unbase64(text) -> bytes */
static int
unbase64(lua_State *L)
{
        return convert(L, base64_decode);
}

/* url_encode(bytes) -> text */
static int
percent(lua_State *L)
{
        return convert(L, to_url);
}

/* url_decode(text) -> bytes */
static int
unpercent(lua_State *L)
{
        return convert(L, url_decode);
}

int
lx_open_digest(lua_State *L)
{
        static const luaL_Reg functions[] = {
                { "sha256", sha256_hex },
                { "sha256_raw", sha256_raw },
                { "md5_raw", md5_raw },
                { "base64", base64 },
                { "unbase64", unbase64 },
                { "url_encode", percent },
                { "url_decode", unpercent },
                { NULL, NULL },
        };

        lx_module(L, functions);
        return 1;
}
