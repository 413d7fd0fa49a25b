/*
 * The driver for Azure Blob, against Azurite: what is Azure's own
 * (test_store_object has what every store promises).
 *
 * stores: azurite
 * timeout: 600
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/store/azure_sign.h"
#include "harness/store_suite.h"
#include "harness/stores.h"
#include "harness/test.h"
#include "moonkeep/encode.h"
#include "moonkeep/hmac.h"
#include "moonkeep/mem.h"
#include "moonkeep/time.h"

#define MIB ((size_t)1024 * 1024)

/* A container of one's own, and a store in it. */

static struct test_store server;

static struct store *
begin(const char *prefix, const char *options)
{
        test_store_begin(&server, "azurite", false);
        return test_store_open(&server, NULL, prefix, options);
}

static void
end(struct store *store)
{
        store_free(store);
        test_store_end(&server);
}

/* A request with a parameter and a header; the body of a PUT is an empty list of blocks. */
static struct store_answer
call(struct store *store, const char *method, const char *key, struct store_pair query,
    struct store_pair header)
{
        static const char list[] = "<?xml version=\"1.0\"?><BlockList></BlockList>";
        bool is_list = query.name != NULL && strcmp(query.value, "blocklist") == 0;
        struct store_call what = { .method = method,
                .key = key,
                .query = &query,
                .query_count = query.name != NULL,
                .headers = &header,
                .header_count = header.name != NULL,
                .body = is_list ? list : NULL,
                .body_len = is_list ? strlen(list) : 0,
                .answer_max = 65536 };
        struct store_answer answer = { 0 };
        struct err err;

        err_init(&err);
        CHECK_OK(store_call(store, &what, &answer, NULL, &err), err);
        return answer;
}

static const struct store_pair nothing;

TEST(odd_keys_are_kept_under_a_prefix)
{
        static const char *const keys[] = { " ", " a ", "!$&'()*+,;=:@-._~", "\"quotes\"", "#?%",
                "%20", "%2e%2e/x", "%41", "+", "..a", "<&>]]>&amp;", "?comp=list&x=y/z",
                "[a]{b}^`|", "a b/c  d/ e ", "a+b", "e\xcc\x81", "\xc3\xa9",
                "\xe2\x82\xac/\xf0\x9f\x8c\x99" };
        const size_t count = sizeof(keys) / sizeof(keys[0]);
        struct store *store = begin("pre%20fix/%C3%A9+%252541", NULL);
        char all[1024] = "";
        struct err err;

        err_init(&err);
        for (size_t idx = 0; idx < count; idx++) {
                store_suite_put(store, keys[idx], keys[idx]);
                if (idx > 0)
                        strcat(all, " ");
                strcat(all, keys[idx]);
        }
        store_suite_list(store, "", false, all);
        store_suite_list(store, "?comp=list&x=y/", false, "?comp=list&x=y/z");
        store_suite_list(store, "a b/", true, "a b/c  d/");
        for (size_t idx = 0; idx < count; idx++) {
                store_suite_get(store, keys[idx], keys[idx]);
                CHECK_OK(store_remove(store, keys[idx], NULL, &err), err);
        }
        store_suite_list(store, "", false, "");
        end(store);
}

TEST(keys_that_azure_takes_for_others_are_refused)
{
        static const char *const keys[] = { "...", "a.", "a./b", "a\\b", "a\nb", "a\x7f" };
        struct store *store = begin("", NULL);
        struct store_stat stat;
        struct err err;

        for (size_t idx = 0; idx < sizeof(keys) / sizeof(keys[0]); idx++) {
                CHECK_ERR(store_suite_try_put(store, keys[idx], "x", false, &err) < 0, err,
                    ERR_INVALID, "name");
                CHECK_ERR(
                    store_stat(store, keys[idx], &stat, NULL, &err) < 0, err, ERR_INVALID, "name");
        }
        end(store);
}

/* What interrupted uploads leave. */

static void
write_and_die(struct store *store, const char *key)
{
        int status;
        pid_t pid = fork();

        CHECK(pid >= 0);
        if (pid == 0) {
                struct err err;
                err_init(&err);
                struct store *own = store_open(store_url(store), &err);
                struct sink *sink = own != NULL ? store_create(own, key, NULL, NULL, &err) : NULL;
                char *part = calloc(1, MIB);
                int left = 64;
                while (sink != NULL && part != NULL && left > 0 &&
                       sink_write(sink, part, MIB, &err) == 0)
                        left--;
                if (left == 0)
                        raise(SIGKILL);
                _exit(1);
        }
        CHECK(waitpid(pid, &status, 0) == pid);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST(a_sweep_removes_blocks_that_have_no_blob)
{
        struct store *store = begin("p", NULL);
        uint64_t removed = 77;
        struct err err;

        err_init(&err);
        store_suite_put(store, "a/empty", "");
        store_suite_put(store, "a/old", "old");
        write_and_die(store, "a/new");
        write_and_die(store, "b/new");
        /* Of these nothing can be removed without touching the blob; nobody sees them. */
        write_and_die(store, "a/old");
        store_suite_list(store, "", false, "a/empty a/old");
        CHECK_OK(store_sweep(store, "a/", &removed, NULL, &err), err);
        CHECK_INT(removed, 1);
        CHECK_OK(store_sweep(store, "", &removed, NULL, &err), err);
        CHECK_INT(removed, 1);
        CHECK_OK(store_sweep(store, "", &removed, NULL, &err), err);
        CHECK_INT(removed, 0);
        store_suite_list(store, "", false, "a/empty a/old");
        store_suite_get(store, "a/old", "old");
        store_suite_get(store, "a/empty", "");
        store_suite_put(store, "a/old", "newer");
        store_suite_get(store, "a/old", "newer");
        end(store);
}

TEST(a_write_that_was_cancelled_shows_nowhere)
{
        struct store *store = begin("", NULL);
        char *part = calloc(1, MIB);
        struct err err;

        err_init(&err);
        struct cancel *token = cancel_new(NULL, &err);
        CHECK_PTR(token, err);
        CHECK(part != NULL);
        struct sink *sink = store_create(store, "large", NULL, token, &err);
        CHECK_PTR(sink, err);
        for (int idx = 0; idx < 25; idx++)
                CHECK_OK(sink_write(sink, part, MIB, &err), err);
        cancel_trigger(token);
        CHECK_ERR(sink_commit(sink, &err) < 0, err, ERR_CANCELLED, "");
        sink_free(sink);
        cancel_unref(token);
        free(part);
        store_suite_list(store, "", false, "");
        CHECK_OK(store_sweep(store, "", NULL, NULL, &err), err);
        store_suite_list(store, "", false, "");
        end(store);
}

TEST(what_a_killed_sweep_left_goes_with_the_next)
{
        struct store *store = begin("", NULL);
        uint64_t removed = 77;
        struct err err;

        err_init(&err);
        store_suite_put(store, "empty", "");
        struct store_answer answer =
            call(store, "PUT", "left", (struct store_pair){ "comp", "blocklist", NULL },
                (struct store_pair){ "x-ms-meta-moonkeep", "swept", NULL });
        store_answer_clear(&answer);
        store_suite_list(store, "", false, "empty left");
        CHECK_OK(store_sweep(store, "", &removed, NULL, &err), err);
        CHECK_INT(removed, 1);
        store_suite_list(store, "", false, "empty");
        end(store);
}

/* Tiers and tags. */

static bool
has_line(const char *headers, const char *line)
{
        return strstr(headers, line) != NULL;
}

TEST(tier_and_tags_of_the_url_are_those_of_what_is_written)
{
        struct store *store = begin("", "&tier=cool&tags=team=a%20b,x=y");
        char *large = calloc(1, 9 * MIB);
        struct err err;

        err_init(&err);
        CHECK(large != NULL);
        store_suite_put(store, "small", "text");
        struct sink *sink = store_create(store, "large", NULL, NULL, &err);
        CHECK_PTR(sink, err);
        CHECK_OK(sink_write(sink, large, 9 * MIB, &err), err);
        CHECK_OK(sink_commit(sink, &err), err);
        sink_free(sink);
        free(large);
        static const char *const keys[] = { "small", "large" };
        for (size_t idx = 0; idx < 2; idx++) {
                struct store_answer answer = call(store, "HEAD", keys[idx], nothing, nothing);
                CHECK(has_line(answer.headers, "x-ms-access-tier: Cool\n"));
                store_answer_clear(&answer);
                answer = call(
                    store, "GET", keys[idx], (struct store_pair){ "comp", "tags", NULL }, nothing);
                CHECK(answer.body.data != NULL);
                CHECK(strstr(answer.body.data, "<Key>team</Key><Value>a b</Value>") != NULL);
                CHECK(strstr(answer.body.data, "<Key>x</Key><Value>y</Value>") != NULL);
                store_answer_clear(&answer);
        }
        end(store);
}

static int
is_archived(void *arg, const char *key, const struct store_stat *stat, struct err *err)
{
        (void)err;
        *(int *)arg += stat->archived ? 1 : 100;
        CHECK_STR(key, "big");
        return 0;
}

TEST(what_lies_in_the_archive_is_told_so)
{
        struct store *store = begin("", NULL);
        struct store_stat stat;
        struct err err;
        int archived = 0;

        err_init(&err);
        store_suite_put(store, "big", "text");
        CHECK_OK(store_stat(store, "big", &stat, NULL, &err), err);
        CHECK(!stat.archived && stat.etag[0] != '\0');
        struct store_answer answer =
            call(store, "PUT", "big", (struct store_pair){ "comp", "tier", NULL },
                (struct store_pair){ "x-ms-access-tier", "Archive", NULL });
        store_answer_clear(&answer);
        CHECK_OK(store_stat(store, "big", &stat, NULL, &err), err);
        CHECK(stat.archived);
        CHECK_OK(store_list(store, "", false, is_archived, &archived, NULL, &err), err);
        CHECK_INT(archived, 1);
        CHECK_ERR(store_read(store, "big", 0, UINT64_MAX, NULL, &err) == NULL, err, ERR_ARCHIVED,
            "the blob lies in the archive");
        CHECK_INT(err.http, 409);
        CHECK(strstr(err.hint, "bring it back") != NULL);
        end(store);
}

TEST(what_has_to_be_read_is_never_written_into_the_archive)
{
        struct store *store = begin("", "&tier=archive");
        char *large = calloc(1, MIB);
        struct store_stat stat;
        struct err err;

        err_init(&err);
        CHECK(large != NULL);
        CHECK_OK(store_suite_try_put(store, "manifest.json", "{}", true, &err), err);
        store_suite_put(store, "record.json", "{}");
        struct sink *sink = store_create(store, "data", NULL, NULL, &err);
        CHECK_PTR(sink, err);
        CHECK_OK(sink_write(sink, large, MIB, &err), err);
        CHECK_OK(sink_commit(sink, &err), err);
        sink_free(sink);
        free(large);
        store_suite_get(store, "manifest.json", "{}");
        store_suite_get(store, "record.json", "{}");
        CHECK_OK(store_stat(store, "data", &stat, NULL, &err), err);
        CHECK(stat.archived);
        end(store);
}

/* Credentials. */

static struct err
failure_of_list(struct store *store)
{
        struct err err;

        err_init(&err);
        CHECK(store_sweep(store, "", NULL, NULL, &err) < 0);
        return err;
}

static void
use_key(void)
{
        CHECK(unsetenv("AZURE_STORAGE_SAS_TOKEN") == 0);
        CHECK(setenv("AZURE_STORAGE_KEY", server.key, 1) == 0);
}

TEST(a_wrong_key_is_told)
{
        struct store *store = begin("", NULL);
        CHECK(setenv("AZURE_STORAGE_KEY", "c2VjcmV0c2VjcmV0", 1) == 0);
        struct store *other = test_store_open(&server, NULL, "", NULL);
        struct err err = failure_of_list(other);

        CHECK(err.code == ERR_PERMISSION || err.code == ERR_CREDENTIALS);
        CHECK_INT(err.http, 403);
        CHECK(strstr(err.hint, "key") != NULL);
        store_free(other);
        use_key();
        end(store);
}

/* A SAS of the account: "Create an account SAS". */
static const char *
make_sas(int64_t expires_ms)
{
        static char sas[512];
        char se[32], text[512];
        unsigned char digest[SHA256_SIZE];
        struct buf key, sig, escaped;
        struct err err;

        err_init(&err);
        buf_init(&key, 256);
        buf_init(&sig, 256);
        buf_init(&escaped, 256);
        time_iso(expires_ms, se);
        strcpy(se + 19, "Z");
        snprintf(text, sizeof(text), "%s\nrwdlact\nb\nsco\n\n%s\n\nhttps,http\n2021-12-02\n\n",
            server.account, se);
        CHECK_OK(base64_decode(server.key, strlen(server.key), &key, &err), err);
        CHECK_OK(hmac_sha256(key.data, key.len, text, strlen(text), digest, &err), err);
        CHECK_OK(base64_encode(digest, sizeof(digest), &sig, &err), err);
        CHECK_OK(url_encode(sig.data, sig.len, 0, &escaped, &err), err);
        snprintf(sas, sizeof(sas),
            "?sv=2021-12-02&ss=b&srt=sco&sp=rwdlact&spr=https,http&se=%s&sig=%s", se, escaped.data);
        buf_free(&key);
        buf_free(&sig);
        buf_free(&escaped);
        return sas;
}

static void
use_sas(int64_t expires_ms)
{
        CHECK(unsetenv("AZURE_STORAGE_KEY") == 0);
        CHECK(setenv("AZURE_STORAGE_SAS_TOKEN", make_sas(expires_ms), 1) == 0);
}

TEST(a_signature_opens_the_store)
{
        struct store *store = begin("", NULL);
        use_sas(time_now_ms() + 3600000);
        struct store *other = test_store_open(&server, NULL, "x", NULL);

        CHECK(strstr(store_url(other), "sig=") == NULL);
        store_suite_put(other, "a b/c", "text");
        store_suite_get(other, "a b/c", "text");
        store_suite_list(other, "", false, "a b/c");
        store_free(other);
        use_key();
        end(store);
}

TEST(a_signature_that_has_expired_is_told)
{
        struct store *store = begin("", NULL);
        use_sas(time_now_ms() - 3600000);
        struct store *other = test_store_open(&server, NULL, "x", NULL);
        struct err err = failure_of_list(other);

        CHECK_ERR(true, err, ERR_CREDENTIALS, "expired: the SAS of AZURE_STORAGE_SAS_TOKEN");
        CHECK(strstr(err.msg, "sig=") == NULL);
        store_free(other);
        use_key();
        end(store);
}

/* Copies. */

static void
copies_within_the_account(struct store *store)
{
        struct store *other = test_store_open(&server, NULL, "other", "&tier=cool&tags=a=b");
        struct store_copied copied;
        struct store_stat seen;
        struct err err;

        err_init(&err);
        store_suite_put(store, "a b/c+%", "text");
        CHECK_OK(store_stat(store, "a b/c+%", &seen, NULL, &err), err);
        CHECK_OK(store_copy(store, other, "a b/c+%", &seen, &copied, NULL, NULL, &err), err);
        CHECK(copied.by_server);
        CHECK_INT(copied.made.size, 4);
        store_suite_get(other, "a b/c+%", "text");
        CHECK_OK(store_stat(other, "a b/c+%", &seen, NULL, &err), err);
        CHECK_STR(seen.etag, copied.made.etag);

        /* What is something else by now. */
        CHECK_OK(store_stat(store, "a b/c+%", &seen, NULL, &err), err);
        store_suite_put(store, "a b/c+%", "other");
        CHECK_ERR(store_copy(store, other, "a b/c+%", &seen, &copied, NULL, NULL, &err) < 0, err,
            ERR_IO, "it was changed meanwhile");
        CHECK(err.retryable);
        CHECK_OK(store_remove(store, "a b/c+%", NULL, &err), err);
        CHECK_ERR(store_copy(store, other, "a b/c+%", &seen, &copied, NULL, NULL, &err) < 0, err,
            ERR_NOT_FOUND, "a b/c+%");
        store_suite_get(other, "a b/c+%", "text");
        store_free(other);
}

TEST(the_server_copies_with_a_key_and_with_a_signature)
{
        struct store *store = begin("one", NULL);

        copies_within_the_account(store);
        use_sas(time_now_ms() + 3600000);
        struct store *other = test_store_open(&server, NULL, "two", NULL);
        copies_within_the_account(other);
        store_free(other);
        use_key();
        end(store);
}

TEST(what_we_sign_for_the_server_opens_a_blob)
{
        struct store *store = begin("", NULL);
        struct secret *key;
        struct buf bytes, query;
        struct err err;

        err_init(&err);
        store_suite_put(store, "a b/c+%", "text");
        buf_init(&bytes, 256);
        buf_init(&query, 1024);
        CHECK_OK(base64_decode(server.key, strlen(server.key), &bytes, &err), err);
        key = secret_new(bytes.data, bytes.len, &err);
        CHECK_PTR(key, err);
        CHECK_OK(azure_sign_reading(server.account, server.bucket, "a b/c+%",
                     time_now_ms() + 3600000, key, &query, &err),
            err);
        CHECK(setenv("AZURE_STORAGE_SAS_TOKEN", query.data, 1) == 0);
        CHECK(unsetenv("AZURE_STORAGE_KEY") == 0);
        struct store *other = test_store_open(&server, NULL, "", NULL);
        store_suite_get(other, "a b/c+%", "text");
        CHECK(store_suite_try_put(other, "a b/c+%", "x", false, &err) < 0);
        store_free(other);
        secret_unref(key);
        buf_free(&bytes);
        buf_free(&query);
        use_key();
        end(store);
}

TEST(a_missing_container_is_told)
{
        struct store *store = begin("", NULL);
        char url[1024];
        struct err err;

        err_init(&err);
        snprintf(url, sizeof(url), "azure://%s/no-such-container?endpoint=%s", server.account,
            server.endpoint);
        struct store *other = store_open(url, &err);
        CHECK_PTR(other, err);
        err = failure_of_list(other);
        CHECK_ERR(true, err, ERR_NOT_FOUND, "the container does not exist");
        CHECK(strstr(err.hint, "no-such-container") != NULL);
        CHECK_ERR(store_suite_try_put(other, "k", "x", false, &err) < 0, err, ERR_NOT_FOUND,
            "the container does not exist");
        store_free(other);
        end(store);
}
