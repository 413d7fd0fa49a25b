/* Uploads in blocks, when something goes wrong. */
#include "../../src/store/azure.h"

#include "harness/http_test.h"
#include "moonkeep/encode.h"
#include "moonkeep/store_driver.h"

#define PART ((size_t)64 * 1024)

#define MARK "x-ms-request-id: 1\\r\\n"
#define EMPTY "Content-Length: 0\\r\\n\\r\\n\"\n"
#define CREATED "answer-raw \"HTTP/1.1 201 X\\r\\nETag: \\\"0x1\\\"\\r\\n" MARK EMPTY
#define BLOCK "/container/k?comp=block&blockid=*"
#define LIST "/container/k?comp=blocklist"
#define FAILURE(status, code)                                                                      \
        "answer-raw \"HTTP/1.1 " status " X\\r\\nx-ms-error-code: " code "\\r\\n" EMPTY
#define HEAD_OF(size, etag)                                                                        \
        "expect HEAD /container/k\nanswer-raw \"HTTP/1.1 200 X\\r\\n" MARK "ETag: \\\"" etag       \
        "\\\"\\r\\nLast-Modified: Sat, 21 Nov 2026 02:00:00 GMT\\r\\nContent-Length: " size        \
        "\\r\\n\\r\\n\"\n"

static struct store *
open_store(void)
{
        char url[512];
        struct err err;

        clearenv();
        CHECK(setenv("AZURE_STORAGE_KEY", "c2VjcmV0c2VjcmV0", 1) == 0);
        err_init(&err);
        snprintf(url, sizeof(url),
            "azure://account/container?endpoint=http://127.0.0.1:%d&attempts=2&connections=1",
            server_port);
        struct url parsed;
        CHECK_OK(url_parse(url, &parsed, &err), err);
        struct store *store = azure_open(&parsed, &err);
        CHECK_PTR(store, err);
        url_clear(&parsed);
        ((struct object_store *)store)->part_size = PART;
        return store;
}

/* Write two blocks and a bit. */
static int
put(struct store *store, const struct store_write *how, struct err *err)
{
        static char bytes[2 * PART + 5];

        for (size_t idx = 0; idx < sizeof(bytes); idx++)
                bytes[idx] = (char)(idx / PART + 'a');
        err_init(err);
        struct sink *sink = store_create(store, "k", how, NULL, err);
        if (sink == NULL)
                return -1;
        int rc = sink_write(sink, bytes, sizeof(bytes), err);
        if (rc == 0)
                rc = sink_commit(sink, err);
        sink_free(sink);
        return rc;
}

static struct err
failure(const char *script)
{
        struct err err;

        start_server(script);
        struct store *store = open_store();
        CHECK(put(store, NULL, &err) < 0);
        store_free(store);
        server_is_content();
        return err;
}

TEST(blocks_and_their_list_make_a_blob)
{
        struct store_stat made = { 0 };
        struct store_write how = { .made = &made };
        struct err err;

        start_server("expect PUT " BLOCK "\n" CREATED "expect PUT " BLOCK "\n" CREATED
                     "expect PUT " BLOCK "\nexpect-body ccccc\n" CREATED "expect PUT " LIST "\n"
                     "expect-no-header x-ms-blob-type\n" CREATED HEAD_OF("131077", "0x1"));
        struct store *store = open_store();
        CHECK_OK(put(store, &how, &err), err);
        CHECK_INT(made.size, 2 * PART + 5);
        CHECK_STR(made.etag, "0x1");
        store_free(store);
        server_is_content();
}

TEST(a_blob_of_another_size_is_told)
{
        struct err err = failure("always PUT " BLOCK "\n" CREATED "expect PUT " LIST
                                 "\n" CREATED HEAD_OF("131076", "0x1"));

        CHECK_ERR(true, err, ERR_CORRUPT, "131076 bytes of it, and 131077 were written");
}

TEST(a_blob_that_somebody_has_replaced_since_is_not_compared)
{
        struct err err;

        start_server(
            "always PUT " BLOCK "\n" CREATED "expect PUT " LIST "\n" CREATED HEAD_OF("5", "0x2"));
        struct store *store = open_store();
        CHECK_OK(put(store, NULL, &err), err);
        store_free(store);
        server_is_content();
}

TEST(a_block_that_fails_is_sent_again)
{
        struct err err;

        start_server("expect PUT " BLOCK "\n" FAILURE("503",
            "ServerBusy") "expect PUT " BLOCK "\n" CREATED "expect PUT " BLOCK
                          "\nreset\nexpect PUT " BLOCK "\n" CREATED "expect PUT " BLOCK "\n" CREATED
                          "expect PUT " LIST "\n" CREATED HEAD_OF("131077", "0x1"));
        struct store *store = open_store();
        CHECK_OK(put(store, NULL, &err), err);
        store_free(store);
        server_is_content();
}

TEST(a_list_whose_answer_was_lost_is_sent_again)
{
        struct err err;

        start_server("always PUT " BLOCK "\n" CREATED "expect PUT " LIST "\nclose\n"
                     "expect PUT " LIST "\n" CREATED HEAD_OF("131077", "0x1"));
        struct store *store = open_store();
        CHECK_OK(put(store, NULL, &err), err);
        store_free(store);
        server_is_content();
}

TEST(another_writer_of_the_blob_is_told)
{
        struct err err = failure("always PUT " BLOCK "\n" CREATED "expect PUT " LIST
                                 "\n" FAILURE("400", "InvalidBlockList"));

        CHECK_ERR(true, err, ERR_IO, "another writer has replaced the blob meanwhile");
        err = failure("expect PUT " BLOCK "\n" FAILURE("400", "InvalidBlobOrBlock"));
        CHECK_ERR(true, err, ERR_IO, "blocks of another program's upload wait there");
}

TEST(an_upload_goes_on_with_the_blocks_that_are_there)
{
        struct store_write resume = { .resume = true };
        struct err err;
        unsigned char id[36] = { 0, 0, 0, 2 };
        static char part[PART];
        struct buf text;
        char script[4096];

        /* The second block is there; the first is, too, but of another content. */
        err_init(&err);
        buf_init(&text, 1024);
        memset(part, 'b', sizeof(part));
        CHECK_OK(sha256_bytes(part, sizeof(part), id + 4, &err), err);
        CHECK_OK(base64_encode(id, sizeof(id), &text, &err), err);
        char body[1024];
        snprintf(body, sizeof(body),
            "<BlockList><CommittedBlocks/"
            "><UncommittedBlocks><Block><Name>AAAAAWFhYWFhYWFhYWFhYWFhYWFhYW"
            "FhYWFhYWFhYWFhYWFh</Name><Size>65536</Size></Block><Block><Name>%s</Name><Size>65536</"
            "Size>"
            "</Block><Block><Name>b3RoZXI=</Name><Size>1</Size></Block></UncommittedBlocks></"
            "BlockList>",
            text.data);
        snprintf(script, sizeof(script),
            "expect GET " LIST "&blocklisttype=uncommitted\n"
            "answer-raw \"HTTP/1.1 200 X\\r\\n" MARK "Content-Length: %zu\\r\\n\\r\\n%s\"\n"
            "expect PUT " BLOCK "\n" CREATED "expect PUT " BLOCK "\nexpect-body ccccc\n" CREATED
            "expect PUT " LIST "\n" CREATED HEAD_OF("131077", "0x1"),
            strlen(body), body);
        start_server(script);
        struct store *store = open_store();
        CHECK_OK(put(store, &resume, &err), err);
        store_free(store);
        buf_free(&text);
        server_is_content();
}

TEST(where_there_is_nothing_to_go_on_with_it_begins)
{
        struct store_write resume = { .resume = true };
        struct err err;

        start_server("expect GET " LIST "&blocklisttype=uncommitted\n" FAILURE(
            "404", "BlobNotFound") "always PUT " BLOCK "\n" CREATED "expect PUT " LIST
                                   "\n" CREATED HEAD_OF("131077", "0x1"));
        struct store *store = open_store();
        CHECK_OK(put(store, &resume, &err), err);
        store_free(store);
        server_is_content();

        start_server("expect GET " LIST "&blocklisttype=uncommitted\n" FAILURE("404",
            "ContainerNotFound") "expect PUT " BLOCK "\n" FAILURE("404", "ContainerNotFound"));
        store = open_store();
        CHECK_ERR(
            put(store, &resume, &err) < 0, err, ERR_NOT_FOUND, "the container does not exist");
        store_free(store);
        server_is_content();
}
