/*
 * What the tests of AWS credentials share: an environment without any, files
 * in the test's directory, and "hidden", the word that each secret of a test
 * has in it and no message may have.
 */
#ifndef TESTS_HARNESS_AWS_TEST_H
#define TESTS_HARNESS_AWS_TEST_H

#include <fcntl.h>
#include <sys/stat.h>

#include "../../src/store/aws_creds.h"
#include "harness/http_test.h"
#include "moonkeep/log.h"
#include "moonkeep/time.h"

extern char **environ;

/* No variable of AWS, no proxy, files below test_dir(), and no machine to ask. */
static inline void
clean_environment(void)
{
        char names[64][64];
        int count = 0;

        for (char **at = environ; *at != NULL && count < 64; at++) {
                if (strncmp(*at, "AWS_", 4) == 0)
                        snprintf(names[count++], 64, "%.*s", (int)strcspn(*at, "="), *at);
        }
        while (count > 0)
                unsetenv(names[--count]);
        unsetenv("http_proxy");
        setenv("HOME", test_dir(), 1);
        setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
}

static inline void
write_file(const char *name, const char *text)
{
        FILE *file = fopen(test_path(name), "we");

        CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* ~/.aws/config and ~/.aws/credentials; NULL: none. */
static inline void
write_profiles(const char *config, const char *credentials)
{
        CHECK(mkdir(test_path(".aws"), 0700) == 0 || access(test_path(".aws"), W_OK) == 0);
        if (config != NULL)
                write_file(".aws/config", config);
        if (credentials != NULL)
                write_file(".aws/credentials", credentials);
}

/* "name = http://127.0.0.1:PORT...", valid until the next call. */
static inline const char *
server_url(const char *rest)
{
        static char url[256];

        snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", server_port, rest);
        return url;
}

/* A time so many seconds from now, as answers have it; valid until the fourth call after it. */
static inline const char *
expiry(int seconds)
{
        static char texts[4][TIME_ISO_SIZE];
        static int next;
        char *text = texts[next++ % 4];

        time_iso(time_now_ms() + seconds * (int64_t)1000, text);
        return text;
}

static inline struct aws_creds *
open_creds(const char *profile)
{
        struct aws_creds_opts opts = { .profile = profile };
        struct err err;
        struct aws_creds *creds = aws_creds_new(&opts, &err);

        CHECK_PTR(creds, err);
        return creds;
}

static inline void
check_not_shown(const struct err *err)
{
        CHECK(strstr(err->msg, "hidden") == NULL && strstr(err->hint, "hidden") == NULL);
        CHECK(strchr(err->msg, '\n') == NULL);
}

static inline void
expect_keys(struct aws_creds *creds, const char *id, const char *secret, const char *token)
{
        struct aws_keys keys;
        struct err err;

        CHECK_OK(aws_creds_get(creds, &keys, NULL, &err), err);
        CHECK_STR(keys.id, id);
        CHECK_STR(secret_bytes(keys.secret, NULL), secret);
        if (token == NULL)
                CHECK(keys.token == NULL);
        else
                CHECK_STR(keys.token != NULL ? secret_bytes(keys.token, NULL) : NULL, token);
        aws_keys_clear(&keys);
}

static inline struct err
expect_no_keys(struct aws_creds *creds, const char *why)
{
        struct aws_keys keys;
        struct err err;

        CHECK_ERR(aws_creds_get(creds, &keys, NULL, &err) < 0, err, ERR_CREDENTIALS, why);
        check_not_shown(&err);
        return err;
}

/* One that is opened, asked once, and freed. */
static inline void
expect_only_keys(const char *profile, const char *id, const char *secret, const char *token)
{
        struct aws_creds *creds = open_creds(profile);

        expect_keys(creds, id, secret, token);
        aws_creds_free(creds);
}

static inline struct err
expect_failing(const char *profile, const char *why)
{
        struct aws_creds *creds = open_creds(profile);
        struct err err = expect_no_keys(creds, why);

        aws_creds_free(creds);
        return err;
}

static inline struct err
expect_not_opened(const char *profile, const char *why)
{
        struct aws_creds_opts opts = { .profile = profile };
        struct err err;

        CHECK_ERR(aws_creds_new(&opts, &err) == NULL, err, ERR_CREDENTIALS, why);
        check_not_shown(&err);
        return err;
}

/* For test_each_allocation; arg is the profile. */
static inline int
open_and_get(void *arg, struct err *err)
{
        struct aws_creds_opts opts = { .profile = arg, .region = "eu-west-1", .ca_file = "/ca" };
        struct aws_creds *creds = aws_creds_new(&opts, err);
        struct aws_keys keys = { 0 };
        int rc = -1;

        if (creds != NULL)
                rc = aws_creds_get(creds, &keys, NULL, err);
        aws_keys_clear(&keys);
        aws_creds_free(creds);
        return rc;
}

/* From here on the log, with all there is in it, goes into a file. */
static int log_stderr = -1;

static inline void
capture_log(void)
{
        int fd = open(test_path("log"), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);

        log_stderr = dup(2);
        CHECK(fd >= 0 && log_stderr >= 0 && dup2(fd, 2) == 2);
        close(fd);
        log_setup(LOG_DEBUG, false);
}

/* Something was logged, and nothing hidden. */
static inline void
check_log(void)
{
        static char text[1 << 20];

        CHECK(dup2(log_stderr, 2) == 2 && close(log_stderr) == 0);
        FILE *file = fopen(test_path("log"), "re");
        CHECK(file != NULL);
        size_t len = fread(text, 1, sizeof(text) - 1, file);
        text[len] = '\0';
        fclose(file);
        CHECK(len > 0 && strstr(text, "hidden") == NULL);
}

#endif
