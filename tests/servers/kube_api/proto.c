#include "servers/kube_api/proto.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "harness/fault_rules.h"
#include "servers/kube_api/json.h"

struct field {
        unsigned number;
        const unsigned char *data; /* of those with a length */
        size_t len;
};

struct reader {
        const unsigned char *at;
        const unsigned char *end;
};

static bool
read_varint(struct reader *reader, uint64_t *value)
{
        *value = 0;
        for (unsigned shift = 0; reader->at < reader->end && shift < 64; shift += 7) {
                unsigned char byte = *reader->at++;
                *value |= (uint64_t)(byte & 0x7f) << shift;
                if ((byte & 0x80) == 0)
                        return true;
        }
        return false;
}

/* The next field; false at the end, and at what cannot be read. */
static bool
read_field(struct reader *reader, struct field *field)
{
        uint64_t tag, value;

        if (!read_varint(reader, &tag) || !read_varint(reader, &value))
                return false;
        field->number = (unsigned)(tag >> 3);
        field->data = reader->at;
        field->len = 0;
        if ((tag & 7) == 0)
                return true;
        if ((tag & 7) != 2 || value > (uint64_t)(reader->end - reader->at))
                return false;
        field->len = (size_t)value;
        reader->at += field->len;
        return true;
}

static bool
find(struct field message, unsigned number, struct field *found)
{
        struct reader reader = { message.data, message.data + message.len };

        while (read_field(&reader, found)) {
                if (found->number == number)
                        return true;
        }
        return false;
}

static void
copy_text(struct field message, unsigned number, json_t *object, const char *path)
{
        struct field found;

        if (find(message, number, &found) && found.len > 0)
                api_set(
                    object, path, api_checked(json_stringn((const char *)found.data, found.len)));
}

static void
read_review(struct field raw, json_t *object)
{
        static const char *const names[] = { "namespace", "verb", "group", "version", "resource",
                "subresource", "name" };
        struct field spec, attributes;

        if (!find(raw, 2, &spec) || !find(spec, 1, &attributes))
                return;
        api_set(object, "spec.resourceAttributes", json_object());
        for (unsigned idx = 0; idx < sizeof(names) / sizeof(names[0]); idx++)
                copy_text(
                    attributes, idx + 1, api_at(object, "spec.resourceAttributes"), names[idx]);
}

/* map<string, string> data = 2 */
static void
read_config_map(struct field raw, json_t *object)
{
        struct reader reader = { raw.data, raw.data + raw.len };
        struct field entry, key, value;

        while (read_field(&reader, &entry)) {
                if (entry.number != 2 || !find(entry, 1, &key))
                        continue;
                char *name = fault_checked(strndup((const char *)key.data, key.len));
                if (json_object_get(object, "data") == NULL)
                        json_object_set_new(object, "data", json_object());
                if (!find(entry, 2, &value))
                        value.len = 0;
                json_object_set_new(json_object_get(object, "data"), name,
                    api_checked(json_stringn((const char *)value.data, value.len)));
                free(name);
        }
}

json_t *
api_proto_read(const char *data, size_t len)
{
        struct field whole, type, raw, meta;

        if (len < 4 || memcmp(data, "k8s\0", 4) != 0)
                return NULL;
        whole = (struct field){ 0, (const unsigned char *)data + 4, len - 4 };
        if (!find(whole, 1, &type) || !find(whole, 2, &raw))
                return NULL;
        json_t *object = json_object();
        copy_text(type, 1, object, "apiVersion");
        copy_text(type, 2, object, "kind");
        api_set(object, "metadata", json_object());
        if (find(raw, 1, &meta)) {
                copy_text(meta, 1, object, "metadata.name");
                copy_text(meta, 2, object, "metadata.generateName");
                copy_text(meta, 3, object, "metadata.namespace");
        }
        if (strcmp(api_text(object, "kind"), "SelfSubjectAccessReview") == 0)
                read_review(raw, object);
        else if (strcmp(api_text(object, "kind"), "Namespace") == 0)
                api_set(object, "spec", json_object());
        else if (strcmp(api_text(object, "kind"), "ConfigMap") == 0)
                read_config_map(raw, object);
        else {
                json_decref(object);
                object = NULL;
        }
        return object;
}
