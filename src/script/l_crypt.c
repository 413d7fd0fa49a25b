/*
 * Encryption in the module _stream: filters whose key is a secret.
 */
#include <string.h>

#include "l_secret.h"
#include "l_stream.h"
#include "lx.h"
#include "moonkeep/codec.h"
#include "moonkeep/s2k.h"

static struct secret *
check_secret(lua_State *L, int arg)
{
        struct secret *secret = lx_secret(L, arg);

        luaL_argcheck(L, secret != NULL, arg, "secret expected");
        return secret;
}

static int
apply(lua_State *L, struct codec *(*make)(struct secret *, struct err *))
{
        struct secret *secret = check_secret(L, 2);
        struct lx_source *inner = lx_source_check(L, 1);
        struct lx_source *outer = lx_source_filter(L, 1, 0);
        struct err err;

        err_init(&err);
        struct codec *codec = make(secret, &err);
        if (codec == NULL)
                lx_raise(L, &err);
        outer->src = codec_source(lx_source_take(inner), codec, &err);
        if (outer->src == NULL)
                lx_raise(L, &err);
        return 1;
}

/* encrypt(source, secret) -> source */
static int
encrypt(lua_State *L)
{
        return apply(L, codec_encrypt_new);
}

/* decrypt(source, secret) -> source: raises "key" when it is another key's */
static int
decrypt(lua_State *L)
{
        return apply(L, codec_decrypt_new);
}

/* encrypt_sink(sink, secret): what is written to the sink from now on is encrypted into it */
static int
encrypt_sink(lua_State *L)
{
        struct lx_sink *sink = lx_sink_check(L, 1);
        struct secret *secret = check_secret(L, 2);
        struct err err;

        luaL_argcheck(L, sink->pins == 0 && sink_bytes(sink->sink) == 0, 1, "the sink is in use");
        err_init(&err);
        struct codec *codec = codec_encrypt_new(secret, &err);
        if (codec == NULL)
                lx_raise(L, &err);
        sink->sink = codec_sink(sink->sink, codec, &err);
        if (sink->sink == NULL)
                lx_raise(L, &err);
        return 0;
}

/* key_id(secret) -> 16 hex digits; raises "usage" for a key that gpg could not be given */
static int
key_id(lua_State *L)
{
        struct secret *secret = check_secret(L, 1);
        char id[S2K_KEY_ID_SIZE];
        size_t len;
        struct err err;

        /* gpg takes the first line of what it is given as the passphrase. */
        const char *bytes = secret_bytes(secret, &len);
        if (memchr(bytes, '\n', len) != NULL || memchr(bytes, '\0', len) != NULL)
                lx_fail(L, ERR_USAGE, "a key is one line of text, and this one has more");
        err_init(&err);
        if (s2k_key_id(secret, id, &err) < 0)
                lx_raise(L, &err);
        lua_pushstring(L, id);
        return 1;
}

const luaL_Reg lx_crypt_functions[] = {
        { "encrypt", encrypt },
        { "decrypt", decrypt },
        { "encrypt_sink", encrypt_sink },
        { "key_id", key_id },
        { NULL, NULL },
};
