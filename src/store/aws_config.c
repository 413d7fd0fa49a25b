#include "aws_config_internal.h"

#include <string.h>
#include <sys/stat.h>

#include "moonkeep/file.h"
#include "moonkeep/mem.h"

static const char *const secret_keys[] = { "aws_secret_access_key", "aws_session_token",
        "aws_security_token" };

static bool
is_secret(const char *key)
{
        for (size_t idx = 0; idx < sizeof(secret_keys) / sizeof(*secret_keys); idx++) {
                if (strcmp(key, secret_keys[idx]) == 0)
                        return true;
        }
        return false;
}

struct aws_config *
aws_config_new(struct err *err)
{
        return mem_zalloc(sizeof(struct aws_config), err);
}

static void
section_clear(struct aws_section *section)
{
        for (size_t idx = 0; idx < section->count; idx++) {
                mem_free(section->settings[idx].key);
                mem_free(section->settings[idx].value);
                secret_unref(section->settings[idx].secret);
        }
        mem_free(section->settings);
        mem_free(section->name);
}

void
aws_config_free(struct aws_config *config)
{
        if (config == NULL)
                return;
        for (size_t idx = 0; idx < config->count; idx++)
                section_clear(&config->sections[idx]);
        mem_free(config->sections);
        mem_free(config);
}

/* The array with room for one more: twice as large when it is full. */
static void *
grow(void *array, size_t count, size_t *cap, size_t size, struct err *err)
{
        if (count < *cap)
                return array;
        size_t wanted = *cap != 0 ? 2 * *cap : 8;
        void *grown = mem_realloc(array, wanted * size, err);
        if (grown != NULL)
                *cap = wanted;
        return grown;
}

static bool
is_section(const struct aws_section *at, enum aws_config_kind kind, const char *name, size_t len)
{
        return at->kind == kind && strncmp(at->name, name, len) == 0 && at->name[len] == '\0';
}

int
aws_config_section(struct aws_config *config, enum aws_config_kind kind, const char *name,
    size_t len, size_t *idx, struct err *err)
{
        for (size_t at = 0; at < config->count; at++) {
                if (is_section(&config->sections[at], kind, name, len)) {
                        *idx = at;
                        return 0;
                }
        }
        if (config->count == AWS_CONFIG_SECTIONS_MAX)
                return err_set(err, ERR_CREDENTIALS, "there are more than %zu sections",
                    AWS_CONFIG_SECTIONS_MAX);
        struct aws_section *sections =
            grow(config->sections, config->count, &config->cap, sizeof(*sections), err);
        if (sections == NULL)
                return -1;
        config->sections = sections;
        char *copy = mem_strndup(name, len, err);
        if (copy == NULL)
                return -1;
        *idx = config->count++;
        sections[*idx] = (struct aws_section){ .kind = kind, .name = copy };
        return 0;
}

static struct aws_setting *
find(const struct aws_section *section, enum aws_config_file file, const char *key)
{
        for (size_t idx = 0; idx < section->count; idx++) {
                struct aws_setting *at = &section->settings[idx];
                if (at->file == file && strcmp(at->key, key) == 0)
                        return at;
        }
        return NULL;
}

static struct aws_setting *
add(struct aws_section *section, enum aws_config_file file, const char *key, struct err *err)
{
        if (section->count == AWS_CONFIG_SETTINGS_MAX) {
                err_set(err, ERR_CREDENTIALS, "the section has more than %zu settings",
                    AWS_CONFIG_SETTINGS_MAX);
                return NULL;
        }
        struct aws_setting *settings =
            grow(section->settings, section->count, &section->cap, sizeof(*settings), err);
        if (settings == NULL)
                return NULL;
        section->settings = settings;
        char *copy = mem_strdup(key, err);
        if (copy == NULL)
                return NULL;
        settings += section->count++;
        *settings = (struct aws_setting){ .file = file, .key = copy };
        return settings;
}

int
aws_config_set(struct aws_section *section, enum aws_config_file file, const char *key,
    const char *value, size_t len, struct err *err)
{
        struct aws_setting *setting = find(section, file, key);
        struct secret *secret = NULL;
        char *text = NULL;

        if (is_secret(key))
                secret = secret_new(value, len, err);
        else
                text = mem_strndup(value, len, err);
        if (secret == NULL && text == NULL)
                return -1;
        if (setting == NULL)
                setting = add(section, file, key, err);
        if (setting == NULL) {
                mem_free(text);
                secret_unref(secret);
                return -1;
        }
        mem_free(setting->value);
        secret_unref(setting->secret);
        setting->value = text;
        setting->secret = secret;
        return 0;
}

int
aws_config_read(
    struct aws_config *config, enum aws_config_file file, const char *path, struct err *err)
{
        struct err why;
        struct buf text;
        struct stat st;
        int rc = -1;

        /* Who wants none says /dev/null. */
        if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
                return 0;
        buf_init(&text, AWS_CONFIG_FILE_MAX);
        if (file_read(path, &text, &why) == 0) {
                rc = aws_config_parse(
                    config, file, path, text.data != NULL ? text.data : "", text.len, err);
        } else if (why.code == ERR_NOT_FOUND) {
                rc = 0;
        } else if (err != NULL) {
                *err = why;
                if (why.code != ERR_NOMEM)
                        err->code = ERR_CREDENTIALS;
        }
        if (text.data != NULL)
                secret_wipe(text.data, text.cap);
        buf_free(&text);
        return rc;
}

static const struct aws_section *
section_named(const struct aws_config *config, enum aws_config_kind kind, const char *name)
{
        for (size_t idx = 0; idx < config->count; idx++) {
                if (is_section(&config->sections[idx], kind, name, strlen(name)))
                        return &config->sections[idx];
        }
        return NULL;
}

bool
aws_config_has(const struct aws_config *config, enum aws_config_kind kind, const char *name)
{
        return section_named(config, kind, name) != NULL;
}

const char *
aws_config_name_at(const struct aws_config *config, enum aws_config_kind kind, size_t idx)
{
        for (size_t at = 0; at < config->count; at++) {
                if (config->sections[at].kind == kind && idx-- == 0)
                        return config->sections[at].name;
        }
        return NULL;
}

static const struct aws_setting *
get(const struct aws_config *config, enum aws_config_file file, enum aws_config_kind kind,
    const char *name, const char *key)
{
        const struct aws_section *section = section_named(config, kind, name);
        const struct aws_setting *found = NULL;

        if (section == NULL)
                return NULL;
        if (file != AWS_FILE_CONFIG)
                found = find(section, AWS_FILE_CREDENTIALS, key);
        if (found == NULL && file != AWS_FILE_CREDENTIALS)
                found = find(section, AWS_FILE_CONFIG, key);
        return found;
}

const char *
aws_config_get(const struct aws_config *config, enum aws_config_file file,
    enum aws_config_kind kind, const char *name, const char *key)
{
        const struct aws_setting *found = get(config, file, kind, name, key);

        if (found == NULL || found->value == NULL || found->value[0] == '\0')
                return NULL;
        return found->value;
}

struct secret *
aws_config_secret(const struct aws_config *config, enum aws_config_file file, const char *profile,
    const char *key)
{
        const struct aws_setting *found = get(config, file, AWS_PROFILE, profile, key);
        size_t len = 0;

        if (found == NULL || found->secret == NULL)
                return NULL;
        (void)secret_bytes(found->secret, &len);
        return len != 0 ? found->secret : NULL;
}
