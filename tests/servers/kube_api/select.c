#include "servers/kube_api/select.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "servers/kube_api/json.h"
#include "servers/kube_api/status.h"

/* Fields that may be asked for, beside metadata.name and metadata.namespace. */
static const struct {
        const char *plural;
        const char *fields;
} known_fields[] = {
        { "pods", " spec.nodeName spec.restartPolicy spec.schedulerName spec.serviceAccountName "
                  "spec.hostNetwork status.phase status.podIP status.nominatedNodeName " },
        { "events",
            " involvedObject.kind involvedObject.namespace involvedObject.name involvedObject.uid "
            "involvedObject.apiVersion involvedObject.resourceVersion involvedObject.fieldPath "
            "reason reportingComponent source type " },
        { "secrets", " type " },
        { "namespaces", " status.phase " },
        { "replicasets", " status.replicas " },
        { "jobs", " status.successful " },
        { "nodes", " spec.unschedulable " },
};

/* Labels: one requirement after the other. */

struct reader {
        const char *at;
        bool wrong;
};

static void
skip_blanks(struct reader *reader)
{
        reader->at += strspn(reader->at, " \t");
}

static char *
read_word(struct reader *reader)
{
        skip_blanks(reader);
        size_t len = strcspn(reader->at, " \t,=!()");
        char *word = fault_checked(strndup(reader->at, len));
        reader->at += len;
        skip_blanks(reader);
        return word;
}

static bool
take(struct reader *reader, const char *text)
{
        skip_blanks(reader);
        if (strncmp(reader->at, text, strlen(text)) != 0)
                return false;
        reader->at += strlen(text);
        return true;
}

/* "(a, b)": is value among them? */
static bool
read_set(struct reader *reader, const char *value)
{
        bool found = false;

        if (!take(reader, "(")) {
                reader->wrong = true;
                return false;
        }
        do {
                char *word = read_word(reader);
                found = found || (value != NULL && strcmp(word, value) == 0);
                free(word);
        } while (take(reader, ","));
        if (!take(reader, ")"))
                reader->wrong = true;
        return found;
}

static bool
read_requirement(struct reader *reader, const json_t *labels)
{
        bool absent = *reader->at == '!' && reader->at[1] != '=';
        bool fits;

        if (absent)
                reader->at++;
        char *key = read_word(reader);
        const char *value = json_string_value(json_object_get(labels, key));
        if (*key == '\0')
                reader->wrong = true;
        if (take(reader, "==") || take(reader, "=")) {
                char *want = read_word(reader);
                fits = value != NULL && strcmp(value, want) == 0;
                free(want);
        } else if (take(reader, "!=")) {
                char *want = read_word(reader);
                fits = value == NULL || strcmp(value, want) != 0;
                free(want);
        } else if (take(reader, "in ") || strncmp(reader->at, "in(", 3) == 0) {
                reader->at += *reader->at == 'i' ? 2 : 0;
                fits = read_set(reader, value);
        } else if (take(reader, "notin ") || strncmp(reader->at, "notin(", 6) == 0) {
                reader->at += *reader->at == 'n' ? 5 : 0;
                fits = !read_set(reader, value);
        } else {
                fits = absent ? value == NULL : value != NULL;
        }
        free(key);
        return fits;
}

static bool
match_labels(const char *text, const json_t *labels, bool *wrong)
{
        struct reader reader = { .at = text };
        bool fits = true;

        skip_blanks(&reader);
        while (*reader.at != '\0' && !reader.wrong) {
                if (!read_requirement(&reader, labels))
                        fits = false;
                skip_blanks(&reader);
                if (*reader.at != '\0' && !take(&reader, ","))
                        reader.wrong = true;
                skip_blanks(&reader);
        }
        *wrong = reader.wrong;
        return fits && !reader.wrong;
}

bool
api_matches_labels(const char *text, const json_t *labels)
{
        bool wrong;

        return match_labels(text, labels, &wrong);
}

/* Fields: "a=b,c!=d". */

static bool
is_known_field(const struct api_type *type, const char *name)
{
        char *spaced = api_format(" %s ", name);
        bool known = strcmp(name, "metadata.name") == 0 || strcmp(name, "metadata.namespace") == 0;

        for (size_t idx = 0; idx < sizeof(known_fields) / sizeof(known_fields[0]); idx++) {
                if (strcmp(known_fields[idx].plural, type->plural) == 0 &&
                    strstr(known_fields[idx].fields, spaced) != NULL)
                        known = true;
        }
        free(spaced);
        return known;
}

/* The name of the unknown field goes to *unknown, to be freed. */
static bool
match_fields(const struct api_type *type, const char *text, const json_t *object, char **unknown)
{
        bool fits = true;

        while (*text != '\0') {
                size_t len = strcspn(text, ",");
                size_t name_len = strcspn(text, "=!,");
                char *name = fault_checked(strndup(text, name_len));
                const char *at = text + name_len;
                bool differs = *at == '!';
                at += differs;
                at += *at == '=';
                at += *at == '=';
                char *value =
                    fault_checked(strndup(at, at < text + len ? (size_t)(text + len - at) : 0));
                if (!is_known_field(type, name) && unknown != NULL && *unknown == NULL)
                        *unknown = fault_checked(strdup(name));
                if ((strcmp(api_text(object, name), value) == 0) == differs)
                        fits = false;
                free(name);
                free(value);
                text += len;
                text += *text == ',';
        }
        return fits;
}

json_t *
api_select_check(const struct api_selector *selector)
{
        bool wrong = false;
        char *unknown = NULL;
        json_t *status = NULL;

        if (selector->labels != NULL)
                match_labels(selector->labels, NULL, &wrong);
        if (wrong)
                return api_status(400, "BadRequest",
                    "unable to parse requirement: found '%s', expected: a selector",
                    selector->labels);
        if (selector->fields != NULL)
                match_fields(selector->type, selector->fields, NULL, &unknown);
        if (unknown != NULL)
                status = api_status(400, "BadRequest",
                    "Unable to find \"%s%s, Resource=%s\" that match label selector \"%s\", field "
                    "selector \"%s\": field label not supported: %s",
                    *selector->type->group != '\0' ? "" : "/", api_type_version(selector->type),
                    selector->type->plural, selector->labels != NULL ? selector->labels : "",
                    selector->fields, unknown);
        free(unknown);
        return status;
}

bool
api_selects(const struct api_selector *selector, const json_t *object)
{
        if (*selector->ns != '\0' &&
            strcmp(selector->ns, api_text(object, "metadata.namespace")) != 0)
                return false;
        if (selector->labels != NULL &&
            !api_matches_labels(selector->labels, api_at(object, "metadata.labels")))
                return false;
        return selector->fields == NULL ||
               match_fields(selector->type, selector->fields, object, NULL);
}
