/*
 * Every kind of request to an object store meets every fault on its way, once
 * and each time (tests/servers/fault_proxy.c, before real servers): what
 * follows is success with the right content, or one clear error; never half an
 * object, and nothing that a sweep does not remove.  A sample that SEED chooses, all
 * with FAULT_ALL=1, or with FAULT_ALL="TEXT" those whose rule contains it.
 * stores: radosgw azurite
 * timeout: 3600
 */
#include "harness/http_test.h"
#include "harness/stores.h"
#include "moonkeep/encode.h"
#include "moonkeep/md5.h"

/* Bounds on one test, in seconds. */
#define SAMPLE_S 250
#define ALL_S 3000

/* One of so many is in the sample. */
#define SAMPLE 40

/* Three parts, the last one short. */
#define LARGE ((size_t)16 * 1024 * 1024 + 4321)

enum op {
        PUT = 1 << 0,
        GET = 1 << 1,
        STAT = 1 << 2,
        LIST = 1 << 3,
        REMOVE = 1 << 4,
        UPLOAD = 1 << 5,
        DROP = 1 << 6,
        SWEEP = 1 << 7,
        RESUME = 1 << 8,
        REMOVE_MANY = 1 << 9
};

/* A kind of request, and the operation in which it comes. */
struct kind {
        const char *requests; /* "METHOD TARGET" as in a rule */
        enum op op;
};

static const struct kind s3_kinds[] = {
        { "PUT */small", PUT },
        { "GET */small", GET },
        { "HEAD */small", STAT },
        { "GET *list-type=2*", LIST },
        { "DELETE */small", REMOVE },
        { "POST *?delete*", REMOVE_MANY },
        { "POST *?uploads*", UPLOAD },
        { "PUT *partNumber=1*", UPLOAD },
        { "PUT *partNumber=3*", UPLOAD },
        { "POST *uploadId=*", UPLOAD },
        { "HEAD */large", UPLOAD },
        { "DELETE *uploadId=*", DROP },
        { "GET *uploads*", SWEEP },
        { "DELETE *uploadId=*", SWEEP },
        { "GET *uploads*", RESUME },
        { "GET */large?*uploadId=*", RESUME },
        { NULL, 0 },
};

static const struct kind azure_kinds[] = {
        { "PUT */small*", PUT },
        { "GET */small*", GET },
        { "HEAD */small*", STAT },
        { "GET *comp=list*", LIST },
        { "DELETE */small*", REMOVE },
        { "PUT *comp=block&*", UPLOAD },
        { "PUT *comp=blocklist*", UPLOAD },
        { "PUT *comp=block&*", DROP },
        { "GET *comp=list*", SWEEP },
        { "PUT *comp=blocklist*", SWEEP },
        { "DELETE */large*", SWEEP },
        { "GET *comp=blocklist*", RESUME },
        { NULL, 0 },
};

struct fault {
        const char *action; /* as in a rule */
        bool heals;         /* met once, it does not show */
        unsigned except;    /* operations that it is no fault for, or cannot be noticed in */
};

static const struct fault faults[] = {
        { "answer 500 InternalError", true, 0 },
        { "answer 500 -", true, 0 },
        { "answer 503 SlowDown", true, 0 },
        { "answer 503 -", true, 0 },
        { "answer 429 TooManyRequests Retry-After: 1", true, 0 },
        { "answer 403 AccessDenied", false, 0 },
        { "answer 400 -", false, 0 },
        { "replace 500 InternalError", true, 0 },
        { "replace 503 -", true, 0 },
        { "replace 200 InternalError", false, 0 },
        { "replace 200 -", false, 0 },
        { "close head", true, 0 },
        { "reset head", true, 0 },
        { "close body:1000", true, 0 },
        { "reset body:1000", true, 0 },
        { "close body", true, 0 },
        { "close done", true, 0 },
        { "reset done", true, 0 },
        { "close answer-head", true, 0 },
        { "close answer-body:5", true, 0 },
        { "reset answer-body:5", true, 0 },
        { "stall 6 head", true, 0 },
        { "stall 6 body:1000", true, 0 },
        { "stall 6 done", true, 0 },
        { "stall 6 answer-head", true, 0 },
        { "stall 6 answer-body:5", true, 0 },
        { "truncate 5", false, 0 },
        { "text </ <", false, GET },
        { "header ETag: \"0\"", false, 0 },
        { "skew 3600", false, 0 },
        { "skew -3600", false, 0 },
        { "answer 301 PermanentRedirect x-amz-bucket-region: eu-west-1", false, 0 },
        { "answer 403 RequestTimeTooSkewed", false, 0 },
        { "answer 400 ExpiredToken", false, 0 },
        { NULL, false, 0 },
};

struct bed {
        struct test_store it;
        struct store *clean; /* past the proxy */
        struct store *store; /* through it */
        pid_t proxy;
};

/* Content. */

static const char old_text[] = "old text";
static const char new_text[] = "the new text";

static const char *
large_bytes(void)
{
        static char bytes[LARGE];

        if (bytes[0] == '\0') {
                uint32_t word = 1;
                for (size_t idx = 0; idx < LARGE; idx++) {
                        word = word * 1664525 + 1013904223;
                        bytes[idx] = (char)(word >> 24 | 1);
                }
        }
        return bytes;
}

static int
put_bytes(struct store *store, const char *key, const struct store_write *how, const void *data,
    size_t len, struct err *err)
{
        struct sink *sink = store_create(store, key, how, NULL, err);
        int rc = -1;

        if (sink == NULL)
                return -1;
        if (sink_write(sink, data, len, err) == 0)
                rc = sink_commit(sink, err);
        sink_free(sink);
        return rc;
}

/* Compare what key holds: 0, or -1 with err; another content ends the test. */
static int
compare(struct store *store, const char *key, const char *want, size_t len, struct err *err)
{
        struct source *src = store_read(store, key, 0, UINT64_MAX, NULL, err);
        static char got[65536];
        size_t at = 0;
        ssize_t count = -1;

        while (src != NULL && (count = source_read(src, got, sizeof(got), err)) > 0) {
                CHECK((size_t)count <= len - at);
                CHECK(memcmp(got, want + at, (size_t)count) == 0);
                at += (size_t)count;
        }
        source_free(src);
        if (count == 0)
                CHECK_INT(at, len);
        return src != NULL && count == 0 ? 0 : -1;
}

static bool
is_there(struct store *store, const char *key, uint64_t *size)
{
        struct store_stat stat;
        struct err err;

        err_init(&err);
        if (store_stat(store, key, &stat, NULL, &err) < 0) {
                CHECK_INT(err.code, ERR_NOT_FOUND);
                return false;
        }
        *size = stat.size;
        return true;
}

static int
add_key(void *arg, const char *key, const struct store_stat *stat, struct err *err)
{
        (void)stat;
        (void)err;
        strncat(arg, key, 200 - strlen(arg));
        strncat(arg, " ", 200 - strlen(arg));
        return 0;
}

static int
list(struct store *store, char out[256], struct err *err)
{
        out[0] = '\0';
        return store_list(store, "", false, add_key, out, NULL, err);
}

/* The operations: what is there before, what is done, and what has to be true then. */

/* A writer that is killed in the middle, with parts that have arrived. */
static void
leave_parts(const struct bed *bed)
{
        int status;
        pid_t pid = fork();

        CHECK(pid >= 0);
        if (pid == 0) {
                struct err err;
                err_init(&err);
                /* One part at a time: when the second one is sent, the first one has arrived. */
                struct store *own = test_store_open(&bed->it, NULL, "", "&connections=1");
                struct sink *sink = store_create(own, "large", NULL, NULL, &err);
                if (sink != NULL)
                        sink_write(sink, large_bytes(), LARGE, &err);
                raise(SIGKILL);
        }
        CHECK(waitpid(pid, &status, 0) == pid);
        CHECK(WIFSIGNALED(status));
}

static void
prepare(const struct bed *bed, enum op op)
{
        struct err err;

        err_init(&err);
        if ((op & (PUT | GET | STAT | LIST | REMOVE | REMOVE_MANY)) != 0)
                CHECK_OK(
                    put_bytes(bed->clean, "small", NULL, old_text, strlen(old_text), &err), err);
        if (op == LIST)
                CHECK_OK(put_bytes(bed->clean, "a/b", NULL, "x", 1, &err), err);
        if ((op & (SWEEP | RESUME)) != 0)
                leave_parts(bed);
}

/* As lua/store/removal.lua does: what the answer does not say is not done. */
static int
remove_many(struct store *store, struct err *err)
{
        static const char body[] = "<Delete><Object><Key>small</Key></Object></Delete>";
        const struct store_pair query = { .name = "delete", .value = "" };
        struct store_pair header = { .name = "Content-MD5" };
        struct store_call call = { .method = "POST",
                .query = &query,
                .query_count = 1,
                .headers = &header,
                .header_count = 1,
                .body = body,
                .body_len = sizeof(body) - 1,
                .answer_max = 65536 };
        struct store_answer answer = { 0 };
        unsigned char digest[MD5_SIZE];
        struct buf md5;

        buf_init(&md5, 64);
        CHECK(md5_bytes(body, sizeof(body) - 1, digest, err) == 0);
        CHECK(base64_encode(digest, sizeof(digest), &md5, err) == 0);
        header.value = md5.data;
        int rc = store_call(store, &call, &answer, NULL, err);
        if (rc == 0) {
                const char *text = answer.body.data != NULL ? answer.body.data : "";
                if (strstr(text, "</DeleteResult>") == NULL || strstr(text, "<Error>") != NULL)
                        rc = err_set(err, ERR_PROTOCOL, "cannot remove: %.100s", "another answer");
        }
        store_answer_clear(&answer);
        buf_free(&md5);
        return rc;
}

static int
perform(const struct bed *bed, enum op op, struct err *err)
{
        static const struct store_write resume = { .resume = true };
        struct store_stat stat;
        struct sink *sink;
        uint64_t removed;
        char keys[256];

        switch (op) {
        case PUT:
                return put_bytes(bed->store, "small", NULL, new_text, strlen(new_text), err);
        case GET:
                return compare(bed->store, "small", old_text, strlen(old_text), err);
        case STAT:
                if (store_stat(bed->store, "small", &stat, NULL, err) < 0)
                        return -1;
                CHECK_INT(stat.size, strlen(old_text));
                return 0;
        case LIST:
                if (list(bed->store, keys, err) < 0)
                        return -1;
                CHECK_STR(keys, "a/b small ");
                return 0;
        case REMOVE:
                return store_remove(bed->store, "small", NULL, err);
        case REMOVE_MANY:
                return remove_many(bed->store, err);
        case UPLOAD:
        case RESUME:
                return put_bytes(
                    bed->store, "large", op == RESUME ? &resume : NULL, large_bytes(), LARGE, err);
        case DROP:
                sink = store_create(bed->store, "large", NULL, NULL, err);
                if (sink == NULL)
                        return -1;
                int rc = sink_write(sink, large_bytes(), LARGE, err);
                sink_free(sink);
                return rc;
        case SWEEP:
                return store_sweep(bed->store, "", &removed, NULL, err);
        }
        return -1;
}

static void
judge(const struct bed *bed, enum op op, bool done)
{
        struct err err;
        uint64_t size = 0, removed = 77;
        char keys[256];

        err_init(&err);
        bool small = is_there(bed->clean, "small", &size);
        if (op == PUT && !done && size == strlen(old_text))
                CHECK_OK(compare(bed->clean, "small", old_text, strlen(old_text), &err), err);
        else if (op == PUT)
                CHECK_OK(compare(bed->clean, "small", new_text, strlen(new_text), &err), err);
        else if ((op & (GET | STAT | LIST)) != 0 || small)
                CHECK_OK(compare(bed->clean, "small", old_text, strlen(old_text), &err), err);
        CHECK((op & (REMOVE | REMOVE_MANY)) == 0 || !done || !small);

        bool large = is_there(bed->clean, "large", &size);
        /* Azure can only drop blocks by making an empty blob of them. */
        bool marked = large && op == SWEEP && !done && size == 0;
        if (large && !marked)
                CHECK_OK(compare(bed->clean, "large", large_bytes(), LARGE, &err), err);
        CHECK((op & (UPLOAD | RESUME)) == 0 || !done || large);
        CHECK((op & (UPLOAD | RESUME)) != 0 || !large || marked);

        CHECK_OK(store_sweep(bed->clean, "", NULL, NULL, &err), err);
        CHECK_OK(store_sweep(bed->clean, "", &removed, NULL, &err), err);
        CHECK_INT(removed, 0);
        large = large && !marked;
        CHECK_OK(list(bed->clean, keys, &err), err);
        CHECK(strcmp(keys, op == LIST ? "a/b small "
                           : small    ? "small "
                           : large    ? "large "
                                      : "") == 0);
        CHECK_OK(store_remove(bed->clean, "small", NULL, &err), err);
        CHECK_OK(store_remove(bed->clean, "large", NULL, &err), err);
        CHECK_OK(store_remove(bed->clean, "a/b", NULL, &err), err);
}

/* What an operator is told. */
static void
check_error(const struct bed *bed, const struct err *err)
{
        const char *const secrets[] = { bed->it.secret_key, bed->it.key };

        CHECK(err->code != ERR_NONE && err->code != ERR_INTERNAL && err->code != ERR_NOMEM);
        CHECK(strncmp(err->msg, "cannot ", 7) == 0);
        CHECK(strchr(err->msg, '\n') == NULL && strlen(err->msg) < 400);
        for (size_t idx = 0; idx < 2; idx++) {
                if (*secrets[idx] != '\0')
                        CHECK(strstr(err->msg, secrets[idx]) == NULL);
        }
}

/* The matrix. */

/* rule: one line, or "" for a proxy that only takes notes; options of the URL. */
static void
open_proxy(struct bed *bed, const char *rule, const char *options)
{
        const char *rules = test_path("rules"), *log = test_path("log");
        const char *argv[] = { NULL, "--log", NULL, NULL, NULL, NULL };
        char port[16], endpoint[300];
        const char *host = strstr(bed->it.endpoint, "://") + 3;
        const char *colon = strchr(host, ':');
        size_t port_len = strspn(colon + 1, "0123456789");

        unlink(log);
        FILE *file = fopen(rules, "we");
        CHECK(file != NULL && fputs(rule, file) >= 0 && fclose(file) == 0);
        snprintf(port, sizeof(port), "%.*s", (int)port_len, colon + 1);
        argv[2] = log;
        argv[3] = port;
        argv[4] = rules;
        int own = launch("fault_proxy", argv, &bed->proxy);
        snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d%s", own, colon + 1 + port_len);
        bed->store = test_store_open(&bed->it, endpoint, "", options);
}

static void
close_proxy(struct bed *bed)
{
        int status;

        store_free(bed->store);
        bed->store = NULL;
        kill(bed->proxy, SIGTERM);
        CHECK(waitpid(bed->proxy, &status, 0) == bed->proxy);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* How many requests were noted that begin and end so. */
static int
noted(const char *begin, const char *within, const char *end)
{
        char line[4096];
        int count = 0;

        FILE *file = fopen(test_path("log"), "re");
        while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
                size_t len = strlen(line);
                count += strncmp(line, begin, strlen(begin)) == 0 && strstr(line, within) != NULL &&
                         len > strlen(end) && strcmp(line + len - strlen(end), end) == 0;
        }
        if (file != NULL)
                fclose(file);
        return count;
}

static bool
was_met(const struct fault *fault)
{
        char end[32];

        snprintf(end, sizeof(end), " %.*s\n", (int)strcspn(fault->action, " "), fault->action);
        return noted("", "", end) > 0;
}

static void
play(struct bed *bed, const struct kind *kind, const struct fault *fault, bool once,
    const char *rule)
{
        struct err err;

        err_init(&err);
        bed->clean = test_store_open(&bed->it, NULL, "", NULL);
        prepare(bed, kind->op);
        /* A busy machine stalls on its own account, and must not be taken for a fault. */
        open_proxy(bed, rule,
            strncmp(fault->action, "stall", 5) != 0 ? "&attempts=2"
            : once                                  ? "&attempts=5&stall=2"
                                                    : "&attempts=2&stall=2");
        int rc = perform(bed, kind->op, &err);
        close_proxy(bed);
        if (rc < 0)
                fprintf(stderr, "    %s: %s\n", err_code_name(err.code), err.msg);
        /* What is dropped may not have come so far. */
        CHECK(kind->op == DROP || was_met(fault));
        if (rc < 0)
                check_error(bed, &err);
        CHECK(rc == 0 || !once || !fault->heals);
        judge(bed, kind->op, rc == 0);
        store_free(bed->clean);
}

static void
clear_up(const struct bed *bed)
{
        struct err err;

        err_init(&err);
        struct store *store = test_store_open(&bed->it, NULL, "", NULL);
        CHECK_OK(store_remove(store, "small", NULL, &err), err);
        CHECK_OK(store_remove(store, "large", NULL, &err), err);
        CHECK_OK(store_remove(store, "a/b", NULL, &err), err);
        CHECK_OK(store_sweep(store, "", NULL, NULL, &err), err);
        store_free(store);
}

/* In a process of its own, so that one failure does not hide the others. */
static bool
plays(struct bed *bed, const struct kind *kind, const struct fault *fault, bool once,
    const char *rule)
{
        int status;

        fprintf(stderr, "  %s (operation %d)\n", rule, (int)kind->op);
        fflush(NULL);
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
                alarm(60);
                play(bed, kind, fault, once, rule);
                exit(0);
        }
        CHECK(waitpid(pid, &status, 0) == pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return true;
        fprintf(stderr, "    FAILED\n");
        clear_up(bed);
        return false;
}

static bool
is_chosen(unsigned number, const char *rule)
{
        const char *all = getenv("FAULT_ALL");
        const char *seed = getenv("SEED");
        unsigned word = (seed != NULL ? (unsigned)strtoul(seed, NULL, 10) : 1) + number;

        if (all != NULL && *all != '\0')
                return strcmp(all, "1") == 0 || strstr(rule, all) != NULL;
        word = (word ^ 61) ^ (word >> 16);
        word *= 0x27d4eb2d;
        word ^= word >> 15;
        return word % SAMPLE == 0;
}

static void
matrix(const char *name, const struct kind *kinds)
{
        const char *all = getenv("FAULT_ALL");
        const char *sanitizer = getenv("SANITIZER");
        struct bed bed = { 0 };
        char rule[256];
        unsigned number = 0;
        int failures = 0;

        if (sanitizer != NULL && strcmp(sanitizer, "thread") == 0)
                SKIP("a process for each fault, and no threads in it");
        alarm(all != NULL && *all != '\0' ? ALL_S : SAMPLE_S);
        test_store_begin(&bed.it, name, false);
        for (const struct kind *kind = kinds; kind->requests != NULL; kind++) {
                for (const struct fault *fault = faults; fault->action != NULL; fault++) {
                        for (int once = 1; once >= 0; once--) {
                                snprintf(rule, sizeof(rule), "%s %s %s", kind->requests,
                                    once ? "first:1" : "every", fault->action);
                                if ((fault->except & kind->op) == 0 && is_chosen(number++, rule))
                                        failures += !plays(&bed, kind, fault, once != 0, rule);
                        }
                }
        }
        CHECK_INT(failures, 0);
        test_store_end(&bed.it);
}

TEST(faults_before_radosgw_do_no_harm)
{
        matrix("radosgw", s3_kinds);
}

TEST(faults_before_azurite_do_no_harm)
{
        matrix("azurite", azure_kinds);
}

/* Parts that have arrived are not sent again. */
static void
goes_on(const char *name, const char *first_part, const char *any_part)
{
        struct bed bed = { 0 };
        struct err err;

        err_init(&err);
        test_store_begin(&bed.it, name, false);
        prepare(&bed, RESUME);
        open_proxy(&bed, "", NULL);
        CHECK_OK(perform(&bed, RESUME, &err), err);
        close_proxy(&bed);
        CHECK_INT(noted("PUT ", first_part, "\n"), 0);
        CHECK(noted("PUT ", any_part, "\n") < 3);
        bed.clean = test_store_open(&bed.it, NULL, "", NULL);
        judge(&bed, RESUME, true);
        store_free(bed.clean);
        test_store_end(&bed.it);
}

TEST(a_killed_upload_to_radosgw_is_gone_on_with)
{
        goes_on("radosgw", "partNumber=1&", "partNumber=");
}

TEST(a_killed_upload_to_azurite_is_gone_on_with)
{
        goes_on("azurite", "comp=none", "comp=block&");
}
