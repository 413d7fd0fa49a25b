/*
 * What kubectl makes of documents: one file each below a directory, all read by
 * one `kubectl label --local`, which needs no server and goes on behind a file
 * that it refuses.
 */
#ifndef TESTS_UNIT_YAML_KUBECTL_H
#define TESTS_UNIT_YAML_KUBECTL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/test.h"
#include "moonkeep/json.h"
#include "moonkeep/mem.h"

#define KUBECTL_OUTPUT_MAX ((size_t)64 << 20)

static void
kubectl_needed(void)
{
        if (system("kubectl version --client >/dev/null 2>&1") != 0)
                SKIP("there is no kubectl");
}

/* Write document number idx; the value stands in it as "v". */
static void
kubectl_document(int idx, const char *value, size_t len)
{
        char path[4096];

        snprintf(path, sizeof(path), "%s/docs", test_dir());
        (void)mkdir(path, 0700);
        snprintf(path, sizeof(path), "%s/docs/%d.yaml", test_dir(), idx);
        FILE *file = fopen(path, "w");
        CHECK(file != NULL);
        fprintf(file, "apiVersion: example.com/v1\nkind: X\nmetadata:\n  name: doc-%d\n", idx);
        CHECK(fwrite(value, 1, len, file) == len && fclose(file) == 0);
}

/* The values "v" by document number, "doc-0" etc., as an object to be freed. */
static struct json *
kubectl_values(void)
{
        char command[8300];
        struct buf out;
        struct err err;
        size_t got, len, from = 0;

        snprintf(command, sizeof(command),
            "kubectl label --local -f %s/docs -o json seen=yes 2>/dev/null", test_dir());
        FILE *kubectl = popen(command, "re");
        CHECK(kubectl != NULL);
        buf_init(&out, KUBECTL_OUTPUT_MAX);
        do {
                char *room = buf_reserve(&out, 65536, &err);
                CHECK_PTR(room, err);
                got = fread(room, 1, 65536, kubectl);
                buf_commit(&out, got);
        } while (got > 0);
        pclose(kubectl);

        /* Objects one behind the other, each ended by a brace at a line's beginning. */
        struct json *values = json_new_object(&err);
        while (from < out.len) {
                const char *end = memmem(out.data + from, out.len - from, "\n}\n", 3);
                CHECK(end != NULL);
                len = (size_t)(end + 3 - out.data) - from;
                struct json *object = json_parse(out.data + from, len, &err);
                CHECK_PTR(object, err);
                const char *name =
                    json_string(json_get(json_get(object, "metadata"), "name"), NULL);
                CHECK(name != NULL && json_get(object, "v") != NULL);
                struct buf text;
                buf_init(&text, KUBECTL_OUTPUT_MAX);
                CHECK_OK(json_dump(json_get(object, "v"), 0, &text, &err), err);
                CHECK_OK(json_set(values, name, strlen(name), json_parse(text.data, text.len, &err),
                             &err),
                    err);
                buf_free(&text);
                json_free(object);
                from += len;
        }
        buf_free(&out);
        return values;
}

/* The canonical text, to be freed with mem_free. */
static char *
canonical(const struct json *value)
{
        struct buf buf;
        struct err err;

        buf_init(&buf, KUBECTL_OUTPUT_MAX);
        CHECK_OK(json_dump(value, 0, &buf, &err), err);
        char *text = buf_detach(&buf, &err);
        CHECK_PTR(text, err);
        return text;
}

#endif
