#include "ws_frame.h"

#include <string.h>

#define FIN 0x80
#define RESERVED 0x70
#define OPCODE 0x0f
#define MASKED 0x80
#define LENGTH 0x7f
#define LENGTH_16 126
#define LENGTH_64 127

static int
broken(struct err *err, const char *what)
{
        return err_set(err, ERR_PROTOCOL, "%s", what);
}

static int
check_first(unsigned char byte, struct err *err)
{
        unsigned opcode = byte & OPCODE;

        if ((byte & RESERVED) != 0)
                return broken(err, "a frame with reserved bits");
        if (opcode > WS_PONG || (opcode > WS_BINARY && opcode < WS_CLOSE))
                return broken(err, "a frame of an unknown kind");
        if (opcode >= WS_CLOSE && (byte & FIN) == 0)
                return broken(err, "a control frame in fragments");
        return 0;
}

static int
check_second(unsigned char first, unsigned char byte, struct err *err)
{
        if ((byte & MASKED) != 0)
                return broken(err, "a masked frame");
        if ((first & OPCODE) >= WS_CLOSE && (byte & LENGTH) > WS_CONTROL_MAX)
                return broken(err, "a control frame of more than 125 bytes");
        return 0;
}

static uint64_t
read_number(const unsigned char *data, size_t size)
{
        uint64_t number = 0;

        for (size_t idx = 0; idx < size; idx++)
                number = number << 8 | data[idx];
        return number;
}

int
ws_frame_parse(const unsigned char *data, size_t len, struct ws_frame *out, struct err *err)
{
        struct ws_frame frame = { .header_len = 2 };

        if (len < 1)
                return 0;
        if (check_first(data[0], err) < 0)
                return -1;
        if (len < 2)
                return 0;
        if (check_second(data[0], data[1], err) < 0)
                return -1;
        frame.fin = (data[0] & FIN) != 0;
        frame.opcode = data[0] & OPCODE;
        frame.len = data[1] & LENGTH;
        if (frame.len >= LENGTH_16) {
                size_t size = frame.len == LENGTH_16 ? 2 : 8;
                frame.header_len += size;
                if (len < frame.header_len)
                        return 0;
                frame.len = read_number(data + 2, size);
                if (frame.len > INT64_MAX)
                        return broken(err, "a frame of more than 2^63 bytes");
                if (frame.len < (size == 2 ? LENGTH_16 : (uint64_t)UINT16_MAX + 1))
                        return broken(err, "a frame whose length is written longer than it is");
        }
        *out = frame;
        return 1;
}

size_t
ws_frame_build(unsigned char out[WS_HEADER_MAX], enum ws_opcode opcode, uint64_t len,
    const unsigned char key[WS_KEY_SIZE])
{
        size_t at = 2, size = 0;

        out[0] = (unsigned char)(FIN | opcode);
        if (len < LENGTH_16) {
                out[1] = (unsigned char)(MASKED | len);
        } else {
                size = len <= UINT16_MAX ? 2 : 8;
                out[1] = (unsigned char)(MASKED | (size == 2 ? LENGTH_16 : LENGTH_64));
        }
        for (size_t idx = 0; idx < size; idx++)
                out[at++] = (unsigned char)(len >> 8 * (size - 1 - idx));
        memcpy(out + at, key, WS_KEY_SIZE);
        return at + WS_KEY_SIZE;
}

void
ws_frame_mask(unsigned char *out, const unsigned char *in, size_t len,
    const unsigned char key[WS_KEY_SIZE], uint64_t offset)
{
        unsigned char turned[8];
        uint64_t mask, word;
        size_t idx = 0;

        for (; idx < sizeof(turned); idx++)
                turned[idx] = key[(offset + idx) % WS_KEY_SIZE];
        memcpy(&mask, turned, sizeof(mask));
        for (idx = 0; idx + sizeof(word) <= len; idx += sizeof(word)) {
                memcpy(&word, in + idx, sizeof(word));
                word ^= mask;
                memcpy(out + idx, &word, sizeof(word));
        }
        for (; idx < len; idx++)
                out[idx] = in[idx] ^ turned[idx % WS_KEY_SIZE];
}
