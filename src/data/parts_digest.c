#include "moonkeep/digest.h"

#include <string.h>

#include "moonkeep/mem.h"

struct parts_digest {
        struct sha256 *sha;
        size_t part_size;
        size_t in_part; /* bytes of the part at hand */
        uint64_t bytes;
        unsigned char (*parts)[SHA256_SIZE];
        size_t count, cap;
        unsigned char root[SHA256_SIZE];
};

struct parts_digest *
parts_digest_new(size_t part_size, struct err *err)
{
        struct parts_digest *pd;

        if (part_size == 0) {
                err_set(err, ERR_INVALID, "cannot digest in parts of 0 bytes");
                return NULL;
        }
        pd = mem_zalloc(sizeof(*pd), err);
        if (pd == NULL)
                return NULL;
        pd->part_size = part_size;
        pd->sha = sha256_new(err);
        if (pd->sha == NULL) {
                mem_free(pd);
                return NULL;
        }
        return pd;
}

/* Make sure that the part that begins here has a place in the list, before a byte is hashed. */
static int
begin_part(struct parts_digest *pd, struct err *err)
{
        if (pd->count == DIGEST_PARTS_MAX)
                return err_set(err, ERR_TOO_BIG,
                    "an artifact cannot have more than %d parts of %zu bytes", DIGEST_PARTS_MAX,
                    pd->part_size);
        if (pd->count < pd->cap)
                return 0;

        size_t cap = pd->cap != 0 ? pd->cap * 2 : 16;
        if (cap > DIGEST_PARTS_MAX)
                cap = DIGEST_PARTS_MAX;
        void *parts = mem_realloc(pd->parts, cap * SHA256_SIZE, err);
        if (parts == NULL)
                return -1;
        pd->parts = parts;
        pd->cap = cap;
        return 0;
}

static int
end_part(struct parts_digest *pd, struct err *err)
{
        if (sha256_final(pd->sha, pd->parts[pd->count], err) < 0)
                return -1;
        pd->count++;
        pd->in_part = 0;
        return 0;
}

int
parts_digest_update(struct parts_digest *pd, const void *data, size_t len, struct err *err)
{
        const unsigned char *at = data;

        while (len > 0) {
                size_t now = pd->part_size - pd->in_part;
                if (now > len)
                        now = len;
                if (pd->in_part == 0 && begin_part(pd, err) < 0)
                        return -1;
                if (sha256_update(pd->sha, at, now, err) < 0)
                        return -1;
                pd->in_part += now;
                pd->bytes += now;
                at += now;
                len -= now;
                if (pd->in_part == pd->part_size && end_part(pd, err) < 0)
                        return -1;
        }
        return 0;
}

int
parts_digest_append(struct parts_digest *pd, const struct parts_digest *next, struct err *err)
{
        if (pd->part_size != next->part_size || pd->bytes % pd->part_size != 0)
                return err_set(err, ERR_INVALID, "cannot join digests: their parts do not fit");
        for (size_t idx = 0; idx < next->count; idx++) {
                if (begin_part(pd, err) < 0)
                        return -1;
                memcpy(pd->parts[pd->count++], next->parts[idx], SHA256_SIZE);
        }
        pd->bytes += next->bytes;
        return 0;
}

int
parts_digest_final(struct parts_digest *pd, struct err *err)
{
        if (pd->in_part > 0 && end_part(pd, err) < 0)
                return -1;
        return sha256_bytes(pd->parts, pd->count * SHA256_SIZE, pd->root, err);
}

uint64_t
parts_digest_bytes(const struct parts_digest *pd)
{
        return pd->bytes;
}

size_t
parts_digest_part_size(const struct parts_digest *pd)
{
        return pd->part_size;
}

size_t
parts_digest_count(const struct parts_digest *pd)
{
        return pd->count;
}

const unsigned char *
parts_digest_at(const struct parts_digest *pd, size_t idx)
{
        return pd->parts[idx];
}

const unsigned char *
parts_digest_root(const struct parts_digest *pd)
{
        return pd->root;
}

void
parts_digest_free(struct parts_digest *pd)
{
        if (pd == NULL)
                return;
        sha256_free(pd->sha);
        mem_free(pd->parts);
        mem_free(pd);
}
