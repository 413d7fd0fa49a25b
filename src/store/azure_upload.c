/* Uploads in blocks, and what is said with what is written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "azure.h"
#include "moonkeep/encode.h"
#include "moonkeep/mem.h"

/* A block's id: its number and the SHA-256 of its content; all ids of a blob have one length. */
#define ID_SIZE (4 + SHA256_SIZE)
#define ID_TEXT_SIZE ((size_t)64)

/* Bound on a list of blocks that is sent, and on one that is read, in bytes. */
#define BLOCK_LIST_MAX ((size_t)8 * 1024 * 1024)
#define UNCOMMITTED_MAX ((size_t)32 * 1024 * 1024)

/* What is written. */

void
azure_writing_properties(
    const struct azure_store *it, bool may_be_archived, struct object_request *request)
{
        bool archive = it->tier != NULL && strcmp(it->tier, "Archive") == 0;

        if (it->tags != NULL)
                object_request_header(request, "x-ms-tags", it->tags);
        if (it->tier != NULL && (!archive || may_be_archived))
                object_request_header(request, "x-ms-access-tier", it->tier);
}

void
azure_writing(
    struct object_store *store, const struct store_write *how, struct object_request *request)
{
        bool is_list = azure_request_param(request, "comp") != NULL;
        bool is_large = is_list || request->payload_len >= AZURE_ARCHIVED_MIN;

        if (!is_list)
                object_request_header(request, "x-ms-blob-type", "BlockBlob");
        if (how->exclusive)
                object_request_header(request, "If-None-Match", "*");
        azure_writing_properties(azure_of(store), is_large && !how->exclusive, request);
}

/* Blocks. */

static int
make_id(size_t number, const unsigned char *sha256, char out[ID_TEXT_SIZE], struct err *err)
{
        unsigned char id[ID_SIZE] = { (unsigned char)(number >> 24), (unsigned char)(number >> 16),
                (unsigned char)(number >> 8), (unsigned char)number };
        struct buf text;
        int rc;

        memcpy(id + 4, sha256, SHA256_SIZE);
        buf_init(&text, ID_TEXT_SIZE);
        rc = base64_encode(id, sizeof(id), &text, err);
        if (rc == 0)
                snprintf(out, ID_TEXT_SIZE, "%.*s", (int)text.len, text.data);
        buf_free(&text);
        return rc;
}

/* The number of a block that is one of ours; 0 otherwise. */
static size_t
number_of(const char *id)
{
        struct buf bytes;
        size_t number = 0;

        buf_init(&bytes, 2 * ID_SIZE);
        if (base64_decode(id, strlen(id), &bytes, NULL) == 0 && bytes.len == ID_SIZE) {
                const unsigned char *at = (const unsigned char *)bytes.data;
                number = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
        }
        buf_free(&bytes);
        return number <= AZURE_BLOCKS_MAX ? number : 0;
}

/* Several blocks may have one number, of uploads that were different: then the last one counts. */
static int
remember(struct object_upload *upload, const struct xml *block, struct err *err)
{
        const char *id = xml_text_at(block, "Name");
        const char *size = xml_text_at(block, "Size");
        size_t number = id != NULL ? number_of(id) : 0;

        if (number == 0 || size == NULL)
                return 0;
        if (number > upload->known_count) {
                struct object_known_part *known =
                    mem_realloc(upload->known, number * sizeof(*known), err);
                if (known == NULL)
                        return -1;
                memset(known + upload->known_count, 0,
                    (number - upload->known_count) * sizeof(*known));
                upload->known = known;
                upload->known_count = number;
        }
        struct object_known_part *part = &upload->known[number - 1];
        char *tag = mem_strdup(id, err);
        if (tag == NULL)
                return -1;
        mem_free(part->tag);
        part->tag = tag;
        part->size = strtoull(size, NULL, 10);
        return 0;
}

static int
read_uncommitted(struct object_upload *upload, struct http_answer *answer, struct err *err)
{
        struct xml *root =
            xml_parse(answer->body.data != NULL ? answer->body.data : "", answer->body.len, err);
        int rc = 0;

        if (root == NULL)
                return err_prefix(err, "cannot look for blocks of \"%s\"", upload->key);
        const struct xml *blocks = xml_at(root, "UncommittedBlocks");
        for (const struct xml *at = xml_first(blocks, "Block"); rc == 0 && at != NULL;
             at = xml_next(at, "Block"))
                rc = remember(upload, at, err);
        xml_free(root);
        return rc;
}

int
azure_begin(
    struct object_lane *lane, struct object_upload *upload, struct cancel *cancel, struct err *err)
{
        struct object_request request;
        struct http_answer answer = { 0 };
        struct err why;

        /* There is nothing to begin: the first block does. */
        upload->id = mem_strdup("", err);
        if (upload->id == NULL)
                return -1;
        if (!upload->how.resume)
                return 0;
        err_init(&why);
        object_request_init(&request, upload->it, "look for blocks of", "GET", upload->key);
        object_request_query(&request, "comp", "blocklist");
        object_request_query(&request, "blocklisttype", "uncommitted");
        request.answer_max = UNCOMMITTED_MAX;
        if (object_call_on(lane, &request, cancel, &answer, &why) < 0) {
                if (why.code == ERR_NOT_FOUND && why.http == 404)
                        return 0;
                if (err != NULL)
                        *err = why;
                return -1;
        }
        int rc = read_uncommitted(upload, &answer, err);
        http_answer_clear(&answer);
        return rc;
}

int
azure_part(
    struct object_upload *upload, size_t number, struct object_request *request, struct err *err)
{
        char id[ID_TEXT_SIZE];

        if (number > AZURE_BLOCKS_MAX)
                return err_set(err, ERR_TOO_BIG, "a blob has at most %d blocks", AZURE_BLOCKS_MAX);
        if (make_id(number, request->sha256, id, err) < 0)
                return -1;
        upload->tags[number - 1] = mem_strdup(id, err);
        if (upload->tags[number - 1] == NULL)
                return -1;
        if (number <= upload->known_count) {
                const struct object_known_part *known = &upload->known[number - 1];
                if (known->tag != NULL && strcmp(known->tag, id) == 0 &&
                    known->size == request->payload_len)
                        return 1;
        }
        request->method = "PUT";
        object_request_query(request, "comp", "block");
        object_request_query(request, "blockid", id);
        return 0;
}

int
azure_part_done(
    struct object_upload *upload, size_t number, const struct http_answer *answer, struct err *err)
{
        (void)upload;
        (void)number;
        (void)answer;
        (void)err;
        return 0;
}

/* Completion. */

static int
make_list(const struct object_upload *upload, struct buf *out, struct err *err)
{
        if (buf_addstr(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>", err) < 0)
                return -1;
        /* "Latest": a commit whose answer was lost can be sent again. */
        for (size_t idx = 0; idx < upload->count; idx++) {
                if (buf_addf(out, err, "<Latest>%s</Latest>", upload->tags[idx]) < 0)
                        return -1;
        }
        return buf_addstr(out, "</BlockList>", err);
}

/* Is what can be read there now what was written? */
static int
compare(struct object_lane *lane, struct object_upload *upload, const char *etag,
    struct cancel *cancel, struct err *err)
{
        struct object_request request;
        struct http_answer answer = { 0 };
        struct store_stat stat = { 0 };

        object_request_init(&request, upload->it, "look at", "HEAD", upload->key);
        if (object_call_on(lane, &request, cancel, &answer, err) < 0)
                return -1;
        azure_stat_read(&answer, &stat);
        http_answer_clear(&answer);
        if (stat.size != upload->bytes && (*etag == '\0' || strcmp(stat.etag, etag) == 0))
                return err_set(err, ERR_CORRUPT,
                    "cannot write \"%s\": the server has %llu bytes of it, and %llu were written",
                    upload->key, (unsigned long long)stat.size, (unsigned long long)upload->bytes);
        if (upload->how.made != NULL)
                *upload->how.made = stat;
        return 0;
}

int
azure_complete(
    struct object_lane *lane, struct object_upload *upload, struct cancel *cancel, struct err *err)
{
        struct object_request request;
        struct http_answer answer = { 0 };
        char etag[STORE_ETAG_MAX + 1] = "";
        struct buf list;
        int rc = -1;

        buf_init(&list, BLOCK_LIST_MAX);
        if (make_list(upload, &list, err) < 0)
                goto done;
        object_request_init(&request, upload->it, "complete", "PUT", upload->key);
        object_request_query(&request, "comp", "blocklist");
        azure_writing(upload->it, &upload->how, &request);
        request.payload = list.data;
        request.payload_len = list.len;
        if (object_call_on(lane, &request, cancel, &answer, err) < 0)
                goto done;
        const char *told = http_answer_header(&answer, "etag");
        azure_etag(told != NULL ? told : "", etag);
        http_answer_clear(&answer);
        rc = compare(lane, upload, etag, cancel, err);
done:
        buf_free(&list);
        return rc;
}

void
azure_abort(struct object_lane *lane, struct object_upload *upload)
{
        /*
         * There is no such request.  Blocks that are in no list show nowhere, and
         * are gone after 7 days; store_sweep removes them sooner.
         */
        (void)lane;
        (void)upload;
}
