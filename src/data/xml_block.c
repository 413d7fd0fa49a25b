#include "xml_internal.h"

#include "moonkeep/mem.h"
#include "moonkeep/secret.h"

/* The first block suits an error's document, the largest a page of a listing. */
#define BLOCK_FIRST ((size_t)2 * 1024)
#define BLOCK_LARGEST ((size_t)128 * 1024)

struct xml_block {
        struct xml_block *older;
        size_t used;
        size_t size;
        char bytes[];
};

static struct xml_block *
add_block(struct xml_document *document, size_t least, struct err *err)
{
        size_t size = document->blocks == NULL ? BLOCK_FIRST : 2 * document->blocks->size;

        if (size > BLOCK_LARGEST)
                size = BLOCK_LARGEST;
        if (size < least)
                size = least;
        struct xml_block *block = mem_alloc(sizeof(*block) + size, err);
        if (block == NULL)
                return NULL;
        *block = (struct xml_block){ .older = document->blocks, .size = size };
        document->blocks = block;
        return block;
}

void *
xml_block_alloc(struct xml_document *document, size_t size, size_t alignment, struct err *err)
{
        struct xml_block *block = document->blocks;
        size_t from = block != NULL ? (block->used + alignment - 1) & ~(alignment - 1) : 0;

        if (block == NULL || from > block->size || block->size - from < size) {
                block = add_block(document, size, err);
                if (block == NULL)
                        return NULL;
                from = 0;
        }
        block->used = from + size;
        return block->bytes + from;
}

void
xml_block_free_all(struct xml_document *document)
{
        struct xml_block *block = document->blocks;

        while (block != NULL) {
                struct xml_block *older = block->older;
                secret_wipe(block->bytes, block->used);
                mem_free(block);
                block = older;
        }
        document->blocks = NULL;
}
