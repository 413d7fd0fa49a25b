#include "moonkeep/yaml.h"
#include "yaml_kubectl.h"

#define TABLE "tests/data/yaml/scalars.tsv"

struct line {
        char *text;
        const char *kubectl; /* JSON, "!" or "?" */
        const char *ours;
};

static bool
next_line(FILE *file, struct line *line)
{
        size_t cap = 0;
        ssize_t len;

        line->text = NULL;
        len = getline(&line->text, &cap, file);
        if (len <= 0) {
                free(line->text);
                return false;
        }
        line->text[len - 1] = '\0';
        char *tab = strchr(line->text, '\t');
        CHECK(tab != NULL);
        *tab = '\0';
        line->kubectl = line->ours = tab + 1;
        tab = strchr(tab + 1, '\t');
        if (tab != NULL) {
                *tab = '\0';
                line->ours = tab + 1;
        }
        return true;
}

static FILE *
open_table(void)
{
        FILE *file = fopen(TABLE, "re");

        CHECK(file != NULL);
        return file;
}

static char *
canonical_text(const char *json)
{
        struct err err;
        struct json *value = json_parse(json, strlen(json), &err);

        CHECK_PTR(value, err);
        char *text = canonical(value);
        json_free(value);
        return text;
}

static void
check_ours(const struct line *line)
{
        struct err err;
        char text[4096];

        snprintf(text, sizeof(text), "v: %s\n", line->text);
        err_init(&err);
        struct json *documents = yaml_parse(text, strlen(text), &err);
        if (strcmp(line->ours, "!") == 0) {
                CHECK_ERR(documents == NULL, err, ERR_INVALID, "YAML, line ");
                return;
        }
        CHECK_PTR(documents, err);
        CHECK_INT(json_array_len(documents), 1);
        char *got = canonical(json_get(json_array_at(documents, 0), "v"));
        char *want = canonical_text(line->ours);
        if (strcmp(got, want) != 0)
                printf("# of: %s\n", line->text);
        CHECK_STR(got, want);
        mem_free(got);
        mem_free(want);
        json_free(documents);
}

TEST(scalars_mean_what_was_recorded_of_kubectl)
{
        FILE *file = open_table();
        struct line line;
        int count = 0;

        for (; next_line(file, &line); count++) {
                check_ours(&line);
                free(line.text);
        }
        CHECK(count > 500);
        fclose(file);
}

TEST(the_installed_kubectl_says_what_was_recorded)
{
        FILE *file = open_table();
        struct line line;
        int count = 0;

        kubectl_needed();
        for (; next_line(file, &line); count++) {
                char value[4096];
                snprintf(value, sizeof(value), "v: %s\n", line.text);
                kubectl_document(count, value, strlen(value));
                free(line.text);
        }
        struct json *values = kubectl_values();
        rewind(file);
        for (int idx = 0; next_line(file, &line); idx++) {
                char name[32];
                snprintf(name, sizeof(name), "doc-%d", idx);
                const struct json *value = json_get(values, name);
                if (strcmp(line.kubectl, "?") != 0) {
                        char *got = value != NULL ? canonical(value) : mem_strdup("!", NULL);
                        char *want = strcmp(line.kubectl, "!") != 0 ? canonical_text(line.kubectl)
                                                                    : mem_strdup("!", NULL);
                        if (strcmp(got, want) != 0)
                                printf("# of: %s\n", line.text);
                        CHECK_STR(got, want);
                        mem_free(got);
                        mem_free(want);
                }
                free(line.text);
        }
        json_free(values);
        fclose(file);
}
