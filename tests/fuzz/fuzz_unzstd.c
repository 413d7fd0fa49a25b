/*
 * Any bytes through the zstd decoder, cut in two ways: where both are content
 * they give the same bytes.  libzstd takes another way for a frame that comes
 * at once, which refuses a few odd frames (an empty compressed block) that the
 * other takes; so the results themselves are not compared.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "moonkeep/codec.h"

#define OUT_MAX ((size_t)1 << 20)

static unsigned char whole[OUT_MAX], pieces[OUT_MAX];

/* Decode in steps of those sizes; how many bytes came out, and the code of the end. */
static size_t
decode(const uint8_t *data, size_t size, size_t in_step, size_t out_step, unsigned char *out,
    enum err_code *code)
{
        struct err err;
        size_t at = 0, len = 0;
        struct codec *codec = codec_unzstd_new(&err);

        if (codec == NULL)
                abort();
        for (;;) {
                size_t in_len = size - at < in_step ? size - at : in_step;
                struct codec_io io = { data + at, in_len, out + len,
                        OUT_MAX - len < out_step ? OUT_MAX - len : out_step };
                if (io.out_len == 0) {
                        /* More than this is not looked at. */
                        *code = ERR_TOO_BIG;
                        break;
                }
                size_t room = io.out_len;
                int state = codec->ops->step(codec, &io, at + in_len == size, &err);
                if (state < 0) {
                        *code = err.code;
                        break;
                }
                if (in_len == io.in_len && room == io.out_len && state != CODEC_DONE)
                        abort();
                at += in_len - io.in_len;
                len += room - io.out_len;
                if (state == CODEC_DONE) {
                        if (at != size)
                                abort();
                        *code = ERR_NONE;
                        break;
                }
        }
        codec_free(codec);
        return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        enum err_code one, other;

        if (size == 0)
                return 0;
        size_t step = data[size - 1] % 13 + 1;
        size_t len = decode(data, size, SIZE_MAX, SIZE_MAX, whole, &one);
        size_t other_len = decode(data, size, step, step * 3, pieces, &other);
        if (one != ERR_NONE && one != ERR_CORRUPT && one != ERR_TRUNCATED && one != ERR_TOO_BIG &&
            one != ERR_UNSUPPORTED)
                abort();
        if (one == ERR_NONE && other == ERR_NONE &&
            (len != other_len || memcmp(whole, pieces, len) != 0))
                abort();
        return 0;
}
