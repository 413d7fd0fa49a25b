#include "servers/kube_api/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness/fault_rules.h"

#define KEY_MAX 256

/* The next key of a path; *path is behind it. */
static void
next_key(const char **path, char key[KEY_MAX])
{
        size_t len = strcspn(*path, ".");

        if (len >= KEY_MAX)
                fault_fail("the path \"%s\" is too long", *path);
        memcpy(key, *path, len);
        key[len] = '\0';
        *path += len;
        if (**path == '.')
                (*path)++;
}

json_t *
api_at(const json_t *value, const char *path)
{
        char key[KEY_MAX];

        while (*path != '\0' && value != NULL) {
                next_key(&path, key);
                value = json_object_get(value, key);
        }
        return (json_t *)(uintptr_t)value;
}

const char *
api_text(const json_t *value, const char *path)
{
        const char *text = json_string_value(api_at(value, path));

        return text != NULL ? text : "";
}

int64_t
api_number(const json_t *value, const char *path, int64_t otherwise)
{
        const json_t *number = api_at(value, path);

        return json_is_integer(number) ? json_integer_value(number) : otherwise;
}

json_t *
api_checked(json_t *value)
{
        return fault_checked(value);
}

void
api_set(json_t *object, const char *path, json_t *value)
{
        char key[KEY_MAX];

        for (;;) {
                next_key(&path, key);
                if (*path == '\0')
                        break;
                json_t *child = json_object_get(object, key);
                if (!json_is_object(child)) {
                        child = json_object();
                        json_object_set_new(object, key, child);
                }
                object = child;
        }
        if (json_object_set_new(object, key, value) != 0)
                fault_fail("cannot set \"%s\"", key);
}

void
api_set_text(json_t *object, const char *path, const char *text)
{
        api_set(object, path, api_checked(json_string(text)));
}

void
api_set_number(json_t *object, const char *path, int64_t number)
{
        api_set(object, path, api_checked(json_integer(number)));
}

void
api_remove(json_t *object, const char *path)
{
        char key[KEY_MAX];

        for (;;) {
                next_key(&path, key);
                if (*path == '\0' || object == NULL)
                        break;
                object = json_object_get(object, key);
        }
        json_object_del(object, key);
}

json_t *
api_copy(const json_t *value)
{
        return api_checked(json_deep_copy(value));
}

char *
api_dump(const json_t *value)
{
        return fault_checked(json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY));
}

json_t *
api_later_json(int64_t seconds)
{
        char text[32];
        time_t when = time(NULL) + seconds;
        struct tm tm;

        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&when, &tm));
        return api_checked(json_string(text));
}

json_t *
api_now_json(void)
{
        return api_later_json(0);
}
