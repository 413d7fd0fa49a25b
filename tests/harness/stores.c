#include "harness/stores.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/test.h"
#include "moonkeep/rand.h"

/* The one whose bucket has to go when the test fails, and whose it is. */
static const struct test_store *begun;
static pid_t owner;

/* A word as bash's printf %q writes it, into out. */
static void
unquote(const char *text, char *out, size_t size)
{
        size_t len = 0;

        for (; *text != '\0' && *text != '\n' && len + 1 < size; text++) {
                if (*text == '\\' && text[1] != '\0')
                        text++;
                out[len++] = *text;
        }
        out[len] = '\0';
}

static void
read_settings(struct test_store *it, FILE *file, bool https)
{
        const struct {
                const char *name;
                char *value;
                size_t size;
        } known[] = {
                { https ? "STORE_HTTPS_ENDPOINT=" : "STORE_ENDPOINT=", it->endpoint,
                    sizeof(it->endpoint) },
                { "STORE_CA_FILE=", it->ca_file, sizeof(it->ca_file) },
                { "STORE_REGION=", it->region, sizeof(it->region) },
                { "STORE_ACCESS_KEY=", it->access_key, sizeof(it->access_key) },
                { "STORE_SECRET_KEY=", it->secret_key, sizeof(it->secret_key) },
                { "STORE_OTHER_ACCESS_KEY=", it->other_access_key, sizeof(it->other_access_key) },
                { "STORE_OTHER_SECRET_KEY=", it->other_secret_key, sizeof(it->other_secret_key) },
                { "STORE_ACCOUNT=", it->account, sizeof(it->account) },
                { "STORE_KEY=", it->key, sizeof(it->key) },
        };
        char line[1024];

        while (fgets(line, sizeof(line), file) != NULL) {
                for (size_t idx = 0; idx < sizeof(known) / sizeof(known[0]); idx++) {
                        size_t len = strlen(known[idx].name);
                        if (strncmp(line, known[idx].name, len) == 0)
                                unquote(line + len, known[idx].value, known[idx].size);
                }
        }
}

/* Why it is not up, if somebody knows. */
static void
skip(const char *dir, const char *name)
{
        char path[1024], why[256];

        snprintf(path, sizeof(path), "%s/why/%s", dir, name);
        FILE *file = fopen(path, "re");
        if (file == NULL || fgets(why, sizeof(why), file) == NULL)
                snprintf(why, sizeof(why), "no %s is up (MOONKEEP_TEST_STORES)", name);
        why[strcspn(why, "\n")] = '\0';
        SKIP(why);
}

static void
set_environment(const struct test_store *it)
{
        static const char *const unset[] = { "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION",
                "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL",
                "AWS_ENDPOINT_URL_S3", "AWS_WEB_IDENTITY_TOKEN_FILE",
                "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_SAS_TOKEN",
                "AZURE_STORAGE_AUTH_MODE", "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                "ALL_PROXY" };

        for (size_t idx = 0; idx < sizeof(unset) / sizeof(unset[0]); idx++)
                unsetenv(unset[idx]);
        setenv("AWS_CONFIG_FILE", "/dev/null", 1);
        setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
        if (it->azure) {
                setenv("AZURE_STORAGE_ACCOUNT", it->account, 1);
                setenv("AZURE_STORAGE_KEY", it->key, 1);
        } else {
                setenv("AWS_ACCESS_KEY_ID", it->access_key, 1);
                setenv("AWS_SECRET_ACCESS_KEY", it->secret_key, 1);
        }
}

const char *
test_store_url(
    const struct test_store *it, const char *endpoint, const char *prefix, const char *options)
{
        static char url[2048];

        if (endpoint == NULL)
                endpoint = it->endpoint;
        int len = it->azure ? snprintf(url, sizeof(url), "azure://%s/%s/%s?endpoint=%s",
                                  it->account, it->bucket, prefix, endpoint)
                            : snprintf(url, sizeof(url), "s3://%s/%s?endpoint=%s&region=%s",
                                  it->bucket, prefix, endpoint, it->region);
        CHECK(len > 0 && (size_t)len < sizeof(url));
        len += snprintf(url + len, sizeof(url) - (size_t)len, "%s%s%s",
            strncmp(endpoint, "https:", 6) == 0 ? "&ca_file=" : "",
            strncmp(endpoint, "https:", 6) == 0 ? it->ca_file : "", options != NULL ? options : "");
        CHECK((size_t)len < sizeof(url));
        return url;
}

struct store *
test_store_open(
    const struct test_store *it, const char *endpoint, const char *prefix, const char *options)
{
        struct err err;

        err_init(&err);
        struct store *store = store_open(test_store_url(it, endpoint, prefix, options), &err);
        CHECK_PTR(store, err);
        return store;
}

/* Make or remove the bucket. */
static int
call_bucket(const struct test_store *it, struct store *store, const char *method, struct err *err)
{
        const struct store_pair container = { .name = "restype", .value = "container" };
        const struct store_call call = { .method = method,
                .query = &container,
                .query_count = it->azure ? 1 : 0,
                .answer_max = 65536 };
        struct store_answer answer = { 0 };
        int rc = store_call(store, &call, &answer, NULL, err);

        store_answer_clear(&answer);
        return rc;
}

static int
remove_it(void *arg, const char *key, const struct store_stat *stat, struct err *err)
{
        (void)stat;
        return store_remove(arg, key, NULL, err);
}

static int
remove_bucket(const struct test_store *it, const char *options, struct err *err)
{
        struct store *store = store_open(test_store_url(it, NULL, "", options), err);
        int rc = -1;

        if (store == NULL)
                return -1;
        if (store_list(store, "", false, remove_it, store, NULL, err) == 0 &&
            store_sweep(store, "", NULL, NULL, err) == 0)
                rc = call_bucket(it, store, "DELETE", err);
        store_free(store);
        return rc;
}

/* A failed check ends the process; the limits are its own. */
static void
clear_up(void)
{
        struct err err;

        if (begun == NULL || getpid() != owner)
                return;
        err_init(&err);
        if (remove_bucket(begun, "&attempts=2&stall=10", &err) < 0)
                fprintf(stderr, "  the bucket \"%s\" stays: %s\n", begun->bucket, err.msg);
}

void
test_store_begin(struct test_store *it, const char *name, bool https)
{
        const char *dir = getenv("MOONKEEP_TEST_STORES");
        char random[13];
        char path[1024];
        struct err err;

        if (dir == NULL)
                SKIP("no object stores are up (MOONKEEP_TEST_STORES)");
        memset(it, 0, sizeof(*it));
        snprintf(it->name, sizeof(it->name), "%s", name);
        it->azure = strcmp(name, "azurite") == 0;
        snprintf(path, sizeof(path), "%s/env/%s", dir, name);
        FILE *file = fopen(path, "re");
        if (file == NULL)
                skip(dir, name);
        read_settings(it, file, https);
        fclose(file);
        set_environment(it);

        err_init(&err);
        CHECK_OK(rand_id(random, sizeof(random) - 1, &err), err);
        snprintf(it->bucket, sizeof(it->bucket), "moonkeep-test-%s", random);
        struct store *store = test_store_open(it, NULL, "", NULL);
        CHECK_OK(call_bucket(it, store, "PUT", &err), err);
        store_free(store);
        begun = it;
        owner = getpid();
        atexit(clear_up);
}

void
test_store_end(struct test_store *it)
{
        struct err err;

        err_init(&err);
        begun = NULL;
        CHECK_OK(remove_bucket(it, NULL, &err), err);
}
