/*
 * Encryption in the module _stream: filters whose key is a secret.
 */
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

/* key_id(secret) -> 16 hex digits */
static int
key_id(lua_State *L)
{
        char id[S2K_KEY_ID_SIZE];
        struct err err;

        err_init(&err);
        if (s2k_key_id(check_secret(L, 1), id, &err) < 0)
                lx_raise(L, &err);
        lua_pushstring(L, id);
        return 1;
}

const luaL_Reg lx_crypt_functions[] = {
        { "encrypt", encrypt },
        { "decrypt", decrypt },
        { "key_id", key_id },
        { NULL, NULL },
};
