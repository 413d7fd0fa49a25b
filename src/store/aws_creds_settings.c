#include "aws_creds_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "moonkeep/file.h"
#include "moonkeep/mem.h"
#include "moonkeep/time.h"

const char *
aws_env(const char *name)
{
        const char *value = getenv(name);

        return value != NULL && *value != '\0' ? value : NULL;
}

bool
aws_is_true(const char *text)
{
        return text != NULL && strcasecmp(text, "true") == 0;
}

int64_t
aws_creds_now_ms(const struct aws_creds *it)
{
        return time_now_ms() + atomic_load(&it->clock_ahead_ms);
}

int
aws_failed(struct err *err)
{
        if (err != NULL && err->code != ERR_CANCELLED && err->code != ERR_NOMEM)
                err->code = ERR_CREDENTIALS;
        return -1;
}

struct secret *
aws_secret_file(const char *what, const char *path, struct err *err)
{
        struct secret *secret = NULL;
        struct buf text;

        buf_init(&text, SECRET_MAX);
        if (file_read(path, &text, err) < 0) {
                err_prefix(err, "the %s is not readable", what);
                goto done;
        }
        while (text.len > 0 && isspace((unsigned char)text.data[text.len - 1]))
                text.len--;
        if (text.len == 0)
                err_set(err, ERR_CREDENTIALS, "the %s \"%s\" is empty", what, path);
        else
                secret = secret_new(text.data, text.len, err);
done:
        if (text.data != NULL)
                secret_wipe(text.data, text.cap);
        buf_free(&text);
        if (secret == NULL)
                aws_failed(err);
        return secret;
}

static const char *
of_profile(const struct aws_creds *it, const char *key)
{
        return aws_config_get(it->config, AWS_FILE_ANY, AWS_PROFILE, it->profile, key);
}

const char *
aws_service_endpoint(const struct aws_creds *it, const char *service)
{
        const char *ignore = aws_env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        const char *services = of_profile(it, "services"), *url = NULL;
        char name[64];

        if (aws_is_true(
                ignore != NULL ? ignore : of_profile(it, "ignore_configured_endpoint_urls")))
                return NULL;
        size_t len = (size_t)snprintf(name, sizeof(name), "AWS_ENDPOINT_URL_%s", service);
        for (size_t idx = 0; idx < len; idx++)
                name[idx] = (char)toupper((unsigned char)name[idx]);
        url = aws_env(name);
        if (url == NULL)
                url = aws_env("AWS_ENDPOINT_URL");
        if (url == NULL && services != NULL) {
                snprintf(name, sizeof(name), "%s.endpoint_url", service);
                url = aws_config_get(it->config, AWS_FILE_ANY, AWS_SERVICES, services, name);
        }
        return url != NULL ? url : of_profile(it, "endpoint_url");
}

/* Where a setting is looked for, in this order. */
static const struct {
        const char *name;
        const char *env[2];
        const char *keys[2];
} settings[] = {
        { "region", { "AWS_REGION", "AWS_DEFAULT_REGION" }, { "region" } },
        { "ca_bundle", { "AWS_CA_BUNDLE" }, { "ca_bundle" } },
        { "addressing_style", { NULL }, { "s3.addressing_style" } },
        { "use_dualstack_endpoint", { "AWS_USE_DUALSTACK_ENDPOINT" },
            { "use_dualstack_endpoint", "s3.use_dualstack_endpoint" } },
        { "use_fips_endpoint", { "AWS_USE_FIPS_ENDPOINT" }, { "use_fips_endpoint" } },
};

const char *
aws_creds_setting(const struct aws_creds *creds, const char *name)
{
        if (strcmp(name, "endpoint_url") == 0)
                return aws_service_endpoint(creds, "s3");
        for (size_t idx = 0; idx < sizeof(settings) / sizeof(*settings); idx++) {
                const char *value = NULL;
                if (strcmp(settings[idx].name, name) != 0)
                        continue;
                for (size_t at = 0; at < 2 && value == NULL && settings[idx].env[at] != NULL; at++)
                        value = aws_env(settings[idx].env[at]);
                for (size_t at = 0; at < 2 && value == NULL && settings[idx].keys[at] != NULL; at++)
                        value = of_profile(creds, settings[idx].keys[at]);
                return value;
        }
        return NULL;
}

/* AWS_CONFIG_FILE, or "config" where it usually lies; *path is NULL when there is no HOME. */
static int
path_of(const char *variable, const char *name, char **path, struct err *err)
{
        const char *said = aws_env(variable), *home = aws_env("HOME");
        struct buf text;

        buf_init(&text, 4096);
        *path = NULL;
        int rc = 0;
        if (said != NULL && strncmp(said, "~/", 2) == 0 && home != NULL)
                rc = buf_addf(&text, err, "%s%s", home, said + 1);
        else if (said != NULL)
                rc = buf_addstr(&text, said, err);
        else if (home != NULL)
                rc = buf_addf(&text, err, "%s/.aws/%s", home, name);
        if (rc == 0 && text.len > 0) {
                *path = buf_detach(&text, err);
                rc = *path != NULL ? 0 : -1;
        }
        buf_free(&text);
        return rc;
}

/* The profiles that there are, those that look like the wanted one in front. */
static void
hint_profiles(const struct aws_creds *it, struct err *err)
{
        struct buf near, list;
        const char *name;

        if (aws_config_has(it->config, AWS_OTHER, it->profile)) {
                err_hint(err, "\"%s\" has a section [%s]; it has to be [profile %s]",
                    it->config_path, it->profile, it->profile);
                return;
        }
        buf_init(&near, 300);
        buf_init(&list, 300);
        for (size_t idx = 0; (name = aws_config_name_at(it->config, AWS_PROFILE, idx)); idx++) {
                bool alike = strncasecmp(name, it->profile, 3) == 0 ||
                             strcasestr(name, it->profile) != NULL ||
                             strcasestr(it->profile, name) != NULL;
                struct buf *to = alike ? &near : &list;
                /* A list that is cut short is better than none. */
                (void)buf_addf(to, NULL, "%s\"%s\"", to->len > 0 ? ", " : "", name);
        }
        if (near.len > 0)
                err_hint(err, "similar profiles: %s", near.data);
        else if (list.len > 0)
                err_hint(err, "the profiles there are: %s", list.data);
        else
                err_hint(err, "these files have no profile at all");
        buf_free(&near);
        buf_free(&list);
}

static const char *
shown(const char *path)
{
        return path != NULL ? path : "~/.aws";
}

int
aws_settings_find(struct aws_creds *it, struct err *err)
{
        if (path_of("AWS_CONFIG_FILE", "config", &it->config_path, err) < 0)
                return -1;
        return path_of("AWS_SHARED_CREDENTIALS_FILE", "credentials", &it->credentials_path, err);
}

struct aws_config *
aws_settings_read(const struct aws_creds *it, struct err *err)
{
        struct aws_config *config = aws_config_new(err);

        if (config == NULL)
                return NULL;
        if (it->config_path != NULL &&
            aws_config_read(config, AWS_FILE_CONFIG, it->config_path, err) < 0)
                goto fail;
        if (it->credentials_path != NULL &&
            aws_config_read(config, AWS_FILE_CREDENTIALS, it->credentials_path, err) < 0)
                goto fail;
        return config;

fail:
        aws_config_free(config);
        return NULL;
}

int
aws_settings_check(const struct aws_creds *it, bool named, struct err *err)
{
        const char *services = of_profile(it, "services");

        if (named && !aws_config_has(it->config, AWS_PROFILE, it->profile)) {
                err_set(err, ERR_CREDENTIALS,
                    "no such AWS profile \"%s\": neither \"%s\" nor \"%s\" has it", it->profile,
                    shown(it->config_path), shown(it->credentials_path));
                hint_profiles(it, err);
                return -1;
        }
        if (services != NULL && !aws_config_has(it->config, AWS_SERVICES, services))
                return err_set(err, ERR_CREDENTIALS,
                    "the AWS profile \"%s\" names the services \"%s\", but \"%s\" has no [services "
                    "%s]",
                    it->profile, services, shown(it->config_path), services);
        return 0;
}
