#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "moonkeep/mem.h"
#include "s3.h"
#include "url_options.h"

static const struct url_option known[] = { { "endpoint", NULL }, { "region", NULL },
        { "profile", NULL }, { "addressing", NULL }, { "ca_file", NULL }, { "class", NULL },
        { "sse", NULL }, { "kms_key", NULL }, { "tags", NULL }, { "retain", NULL },
        { "retain_mode", NULL }, { "connections", NULL }, { "attempts", NULL }, { "stall", NULL },
        { NULL, NULL } };

static int
refused(struct err *err, const char *why)
{
        return err_set(err, ERR_USAGE, "cannot open a store: %s", why);
}

/* Bucket and prefix. */

/* Amazon's rules for new buckets, with what other servers also allow. */
static int
check_bucket(const struct url *url, struct err *err)
{
        const char *name = url->host;
        size_t len = strlen(name);
        bool good = !url->has_capitals && len >= 3 && len <= 63 &&
                    isalnum((unsigned char)name[0]) && isalnum((unsigned char)name[len - 1]) &&
                    strstr(name, "..") == NULL &&
                    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-._") == len;

        if (good)
                return 0;
        if (len == 0)
                refused(err, "its URL names no bucket");
        else if (url->has_capitals)
                refused(err, "the bucket of its URL has capital letters");
        else
                err_set(
                    err, ERR_USAGE, "cannot open a store: \"%.64s\" is no name of a bucket", name);
        return err_hint(err, "a store in S3 is written s3://BUCKET/PREFIX; a bucket has 3 to 63 "
                             "lower-case letters, digits, \"-\" and \".\"");
}

static const char *
check_part(const char *part, size_t len)
{
        bool dots = (len == 1 && part[0] == '.') || (len == 2 && memcmp(part, "..", 2) == 0);

        return dots ? "has a \".\" or \"..\" part" : NULL;
}

char *
s3_prefix(const char *path, struct err *err)
{
        return object_prefix(path, check_part, err);
}

/* Where it is. */

static int
read_region(struct s3_store *it, const char *region, struct err *err)
{
        if (region == NULL && it->endpoint != NULL &&
            s3_endpoint_region(strstr(it->endpoint, "://") + 3, it->region))
                return 0;
        if (region == NULL)
                region = aws_creds_setting(it->creds, "region");
        if (region == NULL)
                region = "us-east-1";
        if (!s3_region_is_good(region, strlen(region)) || region[strlen(region)] != '\0')
                return refused(err, "its region is no name of a region");
        memcpy(it->region, region, strlen(region) + 1);
        return 0;
}

static bool
is_on(const char *setting)
{
        return setting != NULL && strcmp(setting, "true") == 0;
}

static int
read_place(struct s3_store *it, struct url_option *options, struct err *err)
{
        const char *endpoint = url_options_get(options, "endpoint");
        const char *style = url_options_get(options, "addressing");
        bool aws = true, is_address = false;

        if (style != NULL && strcmp(style, "path") != 0 && strcmp(style, "virtual") != 0)
                return refused(
                    err, "the option \"addressing\" of its URL is neither path nor virtual");
        if (style == NULL)
                style = aws_creds_setting(it->creds, "addressing_style");
        if (endpoint == NULL)
                endpoint = aws_creds_setting(it->creds, "endpoint_url");
        if (endpoint != NULL) {
                it->endpoint = s3_endpoint_parse(endpoint, &aws, &is_address, err);
                if (it->endpoint == NULL)
                        return err_prefix(err, "cannot open a store");
                if (url_options_set(options, "endpoint", it->endpoint, err) < 0)
                        return -1;
        }
        it->dualstack = is_on(aws_creds_setting(it->creds, "use_dualstack_endpoint"));
        it->fips = is_on(aws_creds_setting(it->creds, "use_fips_endpoint"));
        it->virtual_hosted = aws && strpbrk(it->bucket, "._") == NULL;
        if (style != NULL && strcmp(style, "path") == 0)
                it->virtual_hosted = false;
        if (style != NULL && strcmp(style, "virtual") == 0)
                it->virtual_hosted = true;
        if (it->virtual_hosted && is_address)
                return refused(err, "addressing=virtual needs an endpoint with a name: no bucket "
                                    "can be put in front of an IP address");
        return read_region(it, url_options_get(options, "region"), err);
}

/* The names. */

static int
name_store(struct s3_store *it, const struct url_option *options, struct err *err)
{
        const struct url_option where[] = { { "endpoint", it->endpoint }, { NULL, NULL } };
        struct store *store = &it->object.store;
        char base[80];

        snprintf(base, sizeof(base), "s3://%s", it->bucket);
        store->url = object_name(&it->object, base, options, err);
        store->place = store->url != NULL ? object_name(&it->object, base, where, err) : NULL;
        return store->place != NULL ? 0 : -1;
}

int
s3_options_read(struct s3_store *it, const struct url *url, struct err *err)
{
        struct url_option options[sizeof(known) / sizeof(known[0])];
        int rc = -1;

        memcpy(options, known, sizeof(known));
        if (url->user != NULL || url->port != 0) {
                refused(err, "an \"s3:\" URL has no user and no port");
                return err_hint(err, "another server than Amazon's is written "
                                     "s3://BUCKET/PREFIX?endpoint=https://HOST:PORT");
        }
        if (check_bucket(url, err) < 0 || url_options_parse(options, url, err) < 0)
                goto done;
        it->bucket = mem_strdup(url->host, err);
        struct aws_creds_opts opts = { .profile = url_options_get(options, "profile"),
                .region = url_options_get(options, "region"),
                .ca_file = url_options_get(options, "ca_file") };
        it->creds = it->bucket != NULL ? aws_creds_new(&opts, err) : NULL;
        if (it->creds == NULL)
                goto done;
        const char *ca_file =
            opts.ca_file != NULL ? opts.ca_file : aws_creds_setting(it->creds, "ca_bundle");
        if (read_place(it, options, err) < 0 ||
            object_connection(&it->object, options, ca_file, err) < 0 ||
            s3_options_writing(it, options, err) < 0 || name_store(it, options, err) < 0)
                goto done;
        rc = 0;
done:
        url_options_clear(options);
        return rc;
}
