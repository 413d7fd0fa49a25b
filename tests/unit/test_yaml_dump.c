#include "moonkeep/yaml.h"
#include "yaml_kubectl.h"

#include <stdint.h>

static char *
dumped(const struct json *value, bool marker)
{
        struct buf buf;
        struct err err;

        buf_init(&buf, (size_t)64 << 20);
        CHECK_OK(yaml_dump(value, marker, &buf, &err), err);
        char *text = buf_detach(&buf, &err);
        CHECK_PTR(text, err);
        return text;
}

static struct json *
from_json(const char *json)
{
        struct err err;
        struct json *value = json_parse(json, strlen(json), &err);

        CHECK_PTR(value, err);
        return value;
}

/* What was written is read as the same value. */
static void
check_back(const struct json *value, const char *text)
{
        struct err err;
        struct json *documents = yaml_parse(text, strlen(text), &err);

        if (documents == NULL)
                printf("# %s\n", text);
        CHECK_PTR(documents, err);
        CHECK_INT(json_array_len(documents), 1);
        char *want = canonical(value), *got = canonical(json_array_at(documents, 0));
        if (strcmp(got, want) != 0)
                printf("# %s\n", text);
        CHECK_STR(got, want);
        mem_free(want);
        mem_free(got);
        json_free(documents);
}

static void
check_dump(const char *json, const char *want)
{
        struct json *value = from_json(json);
        char *text = dumped(value, false);

        CHECK_STR(text, want);
        check_back(value, text);
        mem_free(text);
        text = dumped(value, true);
        CHECK(strncmp(text, "---\n", 4) == 0);
        CHECK_STR(text + 4, want);
        check_back(value, text);
        mem_free(text);
        json_free(value);
}

TEST(writes_block_style_with_sorted_keys)
{
        check_dump(
            "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"spec\":{\"b\":[{\"y\":1,\"x\":[true,null]"
            "},[1,[2,3],{\"k\":{}}],\"s\",[],{}],\"a\":{}},\"z\":[]}",
            "apiVersion: \"v1\"\nkind: \"Pod\"\nspec:\n  a: {}\n  b:\n  - x:\n    - true\n    - "
            "null\n"
            "    \"y\": 1\n  - - 1\n    - - 2\n      - 3\n    - k: {}\n  - \"s\"\n  - []\n  - "
            "{}\nz: "
            "[]\n");
        check_dump("[[1],[{\"a\":[2]}]]", "- - 1\n- - a:\n    - 2\n");
        check_dump("{}", "{}\n");
        check_dump("[]", "[]\n");
        check_dump("null", "null\n");
        check_dump("7", "7\n");
        check_dump("\"x\"", "\"x\"\n");
        check_dump("\"a\\nb\"", "|-\n  a\n  b\n");
}

TEST(keys_are_plain_only_where_no_reader_can_doubt)
{
        check_dump(
            "{\"app.kubernetes.io/name\":1,\"_a-b/c.D0\":1,\"yes\":1,\"No\":1,\"y\":1,\"on\":1,"
            "\"null\":1,\"~\":1,\"\":1,\"0x1f\":1,\"1\":1,\"1.5\":1,\".inf\":1,\"-a\":1,\"a b\":1,"
            "\"<<\":1,\"=\":1,\"a:\":1,\"#\":1,\"2001-01-01\":1,\"\\u00e9\":1,\"true\":1,\"yEs\":1,"
            "\"nan\":1}",
            "\"\": 1\n\"#\": 1\n\"-a\": 1\n\".inf\": 1\n\"0x1f\": 1\n\"1\": 1\n\"1.5\": 1\n"
            "\"2001-01-01\": 1\n\"<<\": 1\n\"=\": 1\n\"No\": 1\n_a-b/c.D0: 1\n\"a b\": 1\n\"a:\": "
            "1\n"
            "app.kubernetes.io/name: 1\nnan: 1\n\"null\": 1\n\"on\": 1\n\"true\": 1\n\"y\": "
            "1\nyEs: 1\n"
            "\"yes\": 1\n\"~\": 1\n\"\xc3\xa9\": 1\n");
}

TEST(texts_of_several_lines_are_literals_where_those_survive)
{
        check_dump(
            "{\"a\":\"x\\ny\\n\",\"b\":\"x\\ny\",\"c\":\"x\\n\\n\\n\",\"d\":\" x\\n  y\\n\","
            "\"e\":\"\\n\\nx\",\"f\":[\"a\\tb\\n# c\\n---\\n...\\n\"],\"g\":\"x\\n\\n y\\n\"}",
            "a: |\n  x\n  y\nb: |-\n  x\n  y\nc: |+\n  x\n\n\nd: |2\n   x\n    y\ne: |2-\n\n\n  x\n"
            "f:\n- |\n  a\tb\n  # c\n  ---\n  ...\ng: |\n  x\n\n   y\n");
        /* Not with blanks at the ends of lines, tabs in front, or what is no plain character. */
        check_dump(
            "[\"x \\ny\",\"x\\n\\ty\",\"x\\ny\\t\",\"x\\r\\ny\",\"\\n\",\"\\n\\n\",\"x\\n "
            "\\n\",\"a\\nb\\u0000\","
            "\"a\\nb\\u007f\",\"a\\nb\\u2028\",\"a\\nb\\u0085\",\"a\\nb\\ufeff\",\"\\tx\\ny\"]",
            "- \"x \\ny\"\n- \"x\\n\\ty\"\n- \"x\\ny\\t\"\n- \"x\\r\\ny\"\n- \"\\n\"\n- "
            "\"\\n\\n\"\n- \"x\\n \\n\"\n"
            "- \"a\\nb\\0\"\n- \"a\\nb\\x7f\"\n- \"a\\nb\\u2028\"\n- \"a\\nb\\x85\"\n- "
            "\"a\\nb\\ufeff\"\n- \"\\tx\\ny\"\n");
}

TEST(what_cannot_be_seen_is_escaped)
{
        check_dump(
            "[\"\\\"\\\\\\t\\u0001\\u001b\",\"\\u00a0\\u00ad\\u200b\\u202e\\u2066\\ufffe\\uffff\","
            "\"\\u00e9\\u4e2d\\ud83d\\ude00\\udbff\\udfff\"]",
            "- \"\\\"\\\\\\t\\x01\\x1b\"\n- \"\\xa0\\xad\\u200b\\u202e\\u2066\\ufffe\\uffff\"\n"
            "- \"\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\"\n");
}

TEST(numbers_keep_their_type)
{
        check_dump("[0,-1,9223372036854775807,-9223372036854775808]",
            "- 0\n- -1\n- 9223372036854775807\n- -9223372036854775808\n");
        check_dump("[0.5,-1.25e-9,1e300,18446744073709551615,0.1]",
            "- 0.5\n- -1.25e-09\n- 1.0e+300\n- 1.8446744073709552e+19\n- 0.1\n");
        check_dump("[1.0,-0.0,1e3,9223372036854773760.0]",
            "- !!float 1.0\n- !!float -0.0\n- !!float 1000.0\n- !!float 9.223372036854774e+18\n");
}

TEST(lines_are_never_folded)
{
        char json[3000], want[3002];

        memset(json, 'x', sizeof(json));
        memcpy(json, "\"", 1);
        for (size_t at = 10; at < 2000; at += 10)
                json[at] = ' ';
        memcpy(json + 2000, "\"", 2);
        snprintf(want, sizeof(want), "%s\n", json);
        check_dump(json, want);
}

TEST(long_keys_are_explicit)
{
        char json[8000], want[8000], key[3001];

        memset(key, 'k', sizeof(key));
        key[3000] = '\0';
        snprintf(json, sizeof(json),
            "[{\"%s\":{\"a\":[1],\"b\":\"x\\ny\"},\"%.1100s\":[1,{\"c\":2}]}]", key, key);
        snprintf(want, sizeof(want),
            "- ? \"%.1100s\"\n  :\n    - 1\n    - c: 2\n  ? \"%s\"\n  :\n    a:\n    - 1\n    b: "
            "|-\n"
            "      x\n      y\n",
            key, key);
        check_dump(json, want);
}

/* Values of every kind, with what is awkward more often than fair. */
static uint64_t state;

static unsigned
pick(unsigned below)
{
        state = state * 6364136223846793005U + 1442695040888963407U;
        return (unsigned)(state >> 33) % below;
}

static size_t
awkward_text(char *out, size_t room)
{
        static const char *const pieces[] = { "a", "b c", " ", "  ", "\n", "\n\n", "\t", "\r", "\"",
                "'", "\\", ":", ": ", " #", "#", "-", "- ", "---\n", "...\n", "?", "&", "*", "!",
                "|", ">", "%", "@", "`", "{", "}", "[", "]", ",", "yes", "null", "~", "0x1f", "017",
                "1e3", "1_0", ".5", "<<", "=", "2001-01-01", "12:30", "\xc3\xa9", "\xe4\xb8\xad",
                "\xf0\x9f\x98\x80", "\xc2\x85", "\xe2\x80\xa8", "\xef\xbb\xbf", "\xef\xbf\xbf",
                "\x01", "\x7f", "\xc2\xa0", "true", "line one\nline two\n" };
        size_t len = 0, count = pick(3) == 0 ? pick(12) : pick(4);

        while (count-- > 0) {
                const char *piece = pieces[pick(sizeof(pieces) / sizeof(pieces[0]))];
                if (len + strlen(piece) > room)
                        break;
                memcpy(out + len, piece, strlen(piece));
                len += strlen(piece);
        }
        return len;
}

static struct json *
awkward_value(int depth)
{
        static const double reals[] = { 0.5, 1.0, -0.0, 1e300, 1e-300, 0.1, 1e18, 1e19, 123456.789,
                1152921504606846976.0, 5e-324 };
        char text[256];
        struct err err;
        struct json *value;
        size_t len;

        switch (pick(depth > 0 ? 9 : 6)) {
        case 0:
                return json_new_null(&err);
        case 1:
                return json_new_bool(pick(2) == 0, &err);
        case 2:
                return json_new_int((int64_t)state >> pick(64), &err);
        case 3:
                return json_new_real(reals[pick(sizeof(reals) / sizeof(reals[0]))], &err);
        case 4:
        case 5:
                len = awkward_text(text, sizeof(text));
                return json_new_string(text, len, &err);
        case 6:
                value = json_new_array(&err);
                for (unsigned count = pick(4); count > 0; count--)
                        CHECK_OK(json_append(value, awkward_value(depth - 1), &err), err);
                return value;
        default:
                value = json_new_object(&err);
                for (unsigned count = pick(5); count > 0; count--) {
                        len = awkward_text(text, sizeof(text));
                        CHECK_OK(json_set(value, text, len, awkward_value(depth - 1), &err), err);
                }
                return value;
        }
}

TEST(any_value_comes_back_as_it_was)
{
        for (uint64_t seed = 1; seed <= 3000; seed++) {
                state = seed * 2654435761U;
                struct json *value = awkward_value(6);
                char *text = dumped(value, seed % 2 == 0);
                check_back(value, text);
                mem_free(text);
                json_free(value);
        }
}

/* Whole numbers have one form in JSON text, so reals among them are compared as integers. */
static struct json *
as_kubectl_shows(struct json *value)
{
        struct err err;
        struct buf text;

        buf_init(&text, 1 << 20);
        CHECK_OK(json_dump(value, 0, &text, &err), err);
        struct json *documents = yaml_parse(text.data, text.len, &err);
        CHECK_PTR(documents, err);
        buf_free(&text);
        return documents;
}

TEST(kubectl_reads_what_was_written)
{
        enum {
                COUNT = 400
        };
        struct err err;

        kubectl_needed();
        for (int idx = 0; idx < COUNT; idx++) {
                struct json *object = json_new_object(&err);
                state = (uint64_t)idx * 40503U + 7;
                CHECK_OK(json_set(object, "v", 1, awkward_value(6), &err), err);
                char *text = dumped(object, false);
                kubectl_document(idx, text, strlen(text));
                mem_free(text);
                json_free(object);
        }
        struct json *values = kubectl_values();
        for (int idx = 0; idx < COUNT; idx++) {
                char name[32];
                snprintf(name, sizeof(name), "doc-%d", idx);
                state = (uint64_t)idx * 40503U + 7;
                struct json *list = json_new_array(&err), *theirs = json_new_array(&err);
                struct json *seen = json_get(values, name);
                CHECK_OK(json_append(list, awkward_value(6), &err), err);
                if (seen == NULL)
                        printf("# %s is missing\n", name);
                CHECK(seen != NULL);
                char *seen_text = canonical(seen);
                CHECK_OK(json_append(theirs, from_json(seen_text), &err), err);
                struct json *ours_shown = as_kubectl_shows(list);
                struct json *theirs_shown = as_kubectl_shows(theirs);
                char *want = canonical(ours_shown), *got = canonical(theirs_shown);
                if (strcmp(got, want) != 0)
                        printf("# %s\n", name);
                CHECK_STR(got, want);
                mem_free(seen_text);
                mem_free(want);
                mem_free(got);
                json_free(list);
                json_free(theirs);
                json_free(ours_shown);
                json_free(theirs_shown);
        }
        json_free(values);
}

TEST(a_full_buffer_or_too_deep_a_value_leaves_nothing_behind)
{
        struct json *value = from_json("{\"a\":[1,{\"b\":\"x\\ny\\n\"},\"cdefgh\"]}");
        struct err err;
        struct buf buf;

        for (size_t max = 2; max < 48; max++) {
                buf_init(&buf, max);
                CHECK_OK(buf_addstr(&buf, "->", &err), err);
                int rc = yaml_dump(value, true, &buf, &err);
                CHECK(rc == 0 ? buf.len > 30 : err.code == ERR_TOO_BIG && buf.len == 2);
                CHECK_INT(strlen(buf.data), buf.len);
                buf_free(&buf);
        }
        for (int level = 0; level < YAML_DEPTH_MAX; level++) {
                struct json *outer = json_new_array(&err);
                CHECK_OK(json_append(outer, value, &err), err);
                value = outer;
        }
        buf_init(&buf, (size_t)16 << 20);
        CHECK_ERR(yaml_dump(value, true, &buf, &err) < 0, err, ERR_TOO_BIG, "nested more than 512");
        CHECK_INT(buf.len, 0);
        buf_free(&buf);
        json_free(value);
}

static int
dump_value(void *arg, struct err *err)
{
        struct buf buf;

        buf_init(&buf, 1 << 16);
        int rc = yaml_dump(arg, true, &buf, err);
        buf_free(&buf);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        struct json *value =
            from_json("{\"a\":[1,2.5,\"x\",{\"b\":null}],\"c d\":\"x\\ny\",\"e\":1.0}");

        test_each_allocation(dump_value, value);
        json_free(value);
}
