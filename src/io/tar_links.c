#include "tar_links.h"

#include <stdint.h>
#include <string.h>

#include "moonkeep/mem.h"

/* An open hash table; a slot without a name is free. */
struct tar_link {
        dev_t dev;
        ino_t ino;
        char *name;
};

#define FIRST_SIZE 64

void
tar_links_free(struct tar_links *links)
{
        for (size_t slot = 0; slot < links->size; slot++)
                mem_free(links->slots[slot].name);
        mem_free(links->slots);
        *links = (struct tar_links){ 0 };
}

/* Where the file is, or where it would be put. */
static struct tar_link *
slot_of(struct tar_link *slots, size_t size, dev_t dev, ino_t ino)
{
        uint64_t hash = ((uint64_t)ino ^ (uint64_t)dev << 40) * 0x9e3779b97f4a7c15U;
        size_t at = (size_t)(hash >> 32) & (size - 1);

        while (slots[at].name != NULL && (slots[at].ino != ino || slots[at].dev != dev))
                at = (at + 1) & (size - 1);
        return &slots[at];
}

const char *
tar_links_find(const struct tar_links *links, dev_t dev, ino_t ino)
{
        return links->size > 0 ? slot_of(links->slots, links->size, dev, ino)->name : NULL;
}

static int
grow(struct tar_links *links, struct err *err)
{
        size_t size = links->size > 0 ? 2 * links->size : FIRST_SIZE;
        struct tar_link *slots = mem_zalloc(size * sizeof(*slots), err);

        if (slots == NULL)
                return -1;
        for (size_t slot = 0; slot < links->size; slot++) {
                const struct tar_link *link = &links->slots[slot];
                if (link->name != NULL)
                        *slot_of(slots, size, link->dev, link->ino) = *link;
        }
        mem_free(links->slots);
        links->slots = slots;
        links->size = size;
        return 0;
}

int
tar_links_add(struct tar_links *links, dev_t dev, ino_t ino, const char *name, struct err *err)
{
        char *copy = mem_strdup(name, err);

        if (copy == NULL)
                return -1;
        if (2 * (links->used + 1) > links->size && grow(links, err) < 0) {
                mem_free(copy);
                return -1;
        }
        *slot_of(links->slots, links->size, dev, ino) = (struct tar_link){ dev, ino, copy };
        links->used++;
        return 0;
}
