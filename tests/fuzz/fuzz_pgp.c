/*
 * Any bytes as an OpenPGP message, or (behind a first byte that is even) as
 * the packets inside of one that proves itself: however they are cut, the
 * decrypter finds them good or bad, and good ones are the same bytes.  Of
 * several faults the first that is found may be another one.
 */
#include <stdint.h>

#include "harness/pgp_test.h"
#include "moonkeep/codec.h"

#define OUT_MAX ((size_t)1 << 20)

static unsigned char whole[OUT_MAX], pieces[OUT_MAX];

/* Decode in steps of those sizes; how many bytes came out, and the code of the end. */
static size_t
decode(const unsigned char *data, size_t size, size_t in_step, size_t out_step, unsigned char *out,
    enum err_code *code)
{
        struct err err;
        size_t at = 0, len = 0;
        struct secret *secret = secret_new(PGP_TEST_PASS, strlen(PGP_TEST_PASS), NULL);
        struct codec *codec = codec_decrypt_new(secret, &err);

        PGP_MUST(codec != NULL);
        for (;;) {
                size_t in_len = size - at < in_step ? size - at : in_step;
                struct codec_io io = { data + at, in_len, out + len,
                        OUT_MAX - len < out_step ? OUT_MAX - len : out_step };
                if (io.out_len == 0) {
                        /* More than this is not looked at. */
                        *code = ERR_FULL;
                        break;
                }
                size_t room = io.out_len;
                int state = codec->ops->step(codec, &io, at + in_len == size, &err);
                if (state < 0) {
                        *code = err.code;
                        break;
                }
                PGP_MUST(in_len != io.in_len || room != io.out_len || state == CODEC_DONE);
                at += in_len - io.in_len;
                len += room - io.out_len;
                if (state == CODEC_DONE) {
                        PGP_MUST(at == size);
                        *code = ERR_NONE;
                        break;
                }
        }
        codec_free(codec);
        secret_unref(secret);
        return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        enum err_code one, other;
        struct buf message;

        if (size == 0)
                return 0;
        buf_init(&message, PGP_TEST_MAX);
        if (data[0] % 2 == 0)
                pgp_test_message(&message, data + 1, size - 1);
        else
                pgp_test_add(&message, data + 1, size - 1);
        const unsigned char *bytes = (const unsigned char *)message.data;
        size_t step = data[size - 1] % 13 + 1;
        size_t len = decode(bytes, message.len, SIZE_MAX, SIZE_MAX, whole, &one);
        size_t other_len = decode(bytes, message.len, step, step * 3, pieces, &other);
        PGP_MUST(one == ERR_NONE || one == ERR_CORRUPT || one == ERR_TRUNCATED || one == ERR_KEY ||
                 one == ERR_UNSUPPORTED || one == ERR_TOO_BIG || one == ERR_FULL);
        if (one != ERR_FULL && other != ERR_FULL)
                PGP_MUST((one == ERR_NONE) == (other == ERR_NONE));
        PGP_MUST(one != ERR_NONE || (len == other_len && memcmp(whole, pieces, len) == 0));
        buf_free(&message);
        return 0;
}
