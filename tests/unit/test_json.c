#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/test.h"
#include "moonkeep/json.h"
#include "moonkeep/mem.h"
#include "moonkeep/thread.h"

static struct json *
parse(const char *text)
{
        struct err err;
        struct json *value = json_parse(text, strlen(text), &err);

        CHECK_PTR(value, err);
        return value;
}

/* The compact text of value, which is freed; the text is freed with free. */
static char *
dumped(struct json *value, int indent)
{
        struct err err;
        struct buf buf;

        buf_init(&buf, 1 << 20);
        CHECK_OK(json_dump(value, indent, &buf, &err), err);
        json_free(value);
        char *text = buf_detach(&buf, &err);
        CHECK_PTR(text, err);
        return text;
}

static void
check_dump(const char *text, int indent, const char *want)
{
        char *got = dumped(parse(text), indent);

        CHECK_STR(got, want);
        mem_free(got);
}

static void
check_refused(const char *text, size_t len, const char *why)
{
        struct err err;

        err_init(&err);
        CHECK_ERR(json_parse(text, len, &err) == NULL, err, ERR_INVALID, why);
        CHECK(strchr(err.msg, '\n') == NULL);
}

TEST(reads_each_type)
{
        struct json *value =
            parse("{\"n\":null,\"t\":true,\"f\":false,\"i\":-7,\"r\":2.5,\"s\":\"x\","
                  "\"a\":[1,2],\"o\":{}}");
        size_t len;

        CHECK_INT(json_type_of(value), JSON_T_OBJECT);
        CHECK_INT(json_type_of(json_get(value, "n")), JSON_T_NULL);
        CHECK_INT(json_type_of(json_get(value, "t")), JSON_T_BOOL);
        CHECK(json_bool(json_get(value, "t")) && !json_bool(json_get(value, "f")));
        CHECK_INT(json_type_of(json_get(value, "i")), JSON_T_INT);
        CHECK_INT(json_int(json_get(value, "i")), -7);
        CHECK(json_real(json_get(value, "i")) == -7.0);
        CHECK_INT(json_type_of(json_get(value, "r")), JSON_T_REAL);
        CHECK(json_real(json_get(value, "r")) == 2.5);
        CHECK_STR(json_string(json_get(value, "s"), &len), "x");
        CHECK_INT(len, 1);
        CHECK_INT(json_type_of(json_get(value, "a")), JSON_T_ARRAY);
        CHECK_INT(json_array_len(json_get(value, "a")), 2);
        CHECK_INT(json_int(json_array_at(json_get(value, "a"), 1)), 2);
        CHECK(json_array_at(json_get(value, "a"), 2) == NULL);
        CHECK(json_get(value, "absent") == NULL);
        CHECK(json_get(json_get(value, "a"), "x") == NULL);
        CHECK(json_string(json_get(value, "i"), NULL) == NULL);
        json_free(value);
        json_free(NULL);
}

TEST(walks_the_members)
{
        struct json *value = parse("{\"a\":1,\"bb\":2,\"c\":3}"), *child;
        const char *key;
        size_t key_len, seen = 0;
        int64_t sum = 0;
        void *iter = NULL;

        while (json_object_next(value, &iter, &key, &key_len, &child)) {
                CHECK_INT(key_len, strlen(key));
                sum += json_int(child);
                seen++;
        }
        CHECK(seen == 3 && sum == 6);
        iter = NULL;
        CHECK(!json_object_next(json_get(value, "a"), &iter, &key, &key_len, &child));
        json_free(value);
        value = parse("{}");
        iter = NULL;
        CHECK(!json_object_next(value, &iter, &key, &key_len, &child));
        json_free(value);
}

TEST(refuses_what_is_not_exactly_one_value)
{
        check_refused("", 0, "line 1, column 0");
        check_refused(NULL, 0, NULL);
        check_refused("{\"a\":1}x", 8, "line 1, column 8");
        check_refused("{\"a\":\n\n]", 8, "line 3, column 1");
        check_refused("[1,]", 4, NULL);
        check_refused("{\"a\":1,\"a\":2}", 13, "duplicate");
        check_refused("'a'", 3, NULL);
        check_refused("nul", 3, NULL);
        check_refused("NaN", 3, NULL);
        check_refused("01", 2, NULL);
        check_refused("\"\xff\"", 3, NULL);
        check_refused("\"\xed\xa0\x80\"", 5, NULL);
        check_refused("\"\\ud800\"", 8, NULL);
        check_refused("\"a\nb\"", 5, NULL);
        check_refused("1e999", 5, "overflow");
        check_refused("[1]\0", 4, NULL);
        check_refused("{\"a\\u0000b\":1}", 14, "NUL");
}

TEST(strings_may_contain_nul)
{
        size_t len;
        struct json *value = parse("\"a\\u0000b\"");
        const char *text = json_string(value, &len);

        CHECK(len == 3 && memcmp(text, "a\0b", 4) == 0);
        char *out = dumped(value, 0);
        CHECK_STR(out, "\"a\\u0000b\"");
        mem_free(out);
}

TEST(integers_past_64_bits_become_reals)
{
        struct json *value =
            parse("{\"a\":[18446744073709551615,-9223372036854775809,1],\"18446744073709551615\":"
                  "\"\\\"18446744073709551615\",\"max\":9223372036854775807}");
        struct json *list = json_get(value, "a");

        CHECK_INT(json_type_of(json_array_at(list, 0)), JSON_T_REAL);
        CHECK(json_real(json_array_at(list, 0)) == 18446744073709551616.0);
        CHECK(json_real(json_array_at(list, 1)) == -9223372036854775808.0);
        CHECK_INT(json_type_of(json_array_at(list, 2)), JSON_T_INT);
        CHECK_STR(
            json_string(json_get(value, "18446744073709551615"), NULL), "\"18446744073709551615");
        CHECK_INT(json_int(json_get(value, "max")), INT64_MAX);
        json_free(value);
        check_refused("[18446744073709551615,}", 23, "not JSON");
        check_refused("[18446744073709551615,\"\\", 24, "not JSON");
        char digits[500];
        memset(digits, '9', sizeof(digits));
        check_refused(digits, sizeof(digits), "overflow");
}

TEST(writes_the_canonical_form)
{
        check_dump("{\"b\":[1,{\"z\":null,\"a\":true}],\"a\":{},\"aa\":[],\"A\":false}", 0,
            "{\"A\":false,\"a\":{},\"aa\":[],\"b\":[1,{\"a\":true,\"z\":null}]}");
        check_dump("\"\\b\\f\\n\\r\\t\\\"\\\\\\/\\u001b\\u007f\\u00e9\\ud83d\\ude00\"", 0,
            "\"\\b\\f\\n\\r\\t\\\"\\\\/\\u001b\\u007f\xc3\xa9\xf0\x9f\x98\x80\"");
        check_dump("[9223372036854775807,-9223372036854775808,0,-0]", 0,
            "[9223372036854775807,-9223372036854775808,0,0]");
}

TEST(writes_the_readable_form)
{
        check_dump("{\"b\":[1,2],\"a\":{},\"c\":[]}", 2,
            "{\n  \"a\": {},\n  \"b\": [\n    1,\n    2\n  ],\n  \"c\": []\n}");
        check_dump("7", 2, "7");
}

TEST(reals_are_short_and_read_back_as_the_same_reals)
{
        static const double reals[] = { 0.1, 1.0, -0.0, 1e100, 1e-7, 0.1 + 0.2, 1.0 / 3, 5e-324,
                1.7976931348623157e308, 123456789.125, 9007199254740993.0, 1e17, 1795226400.123 };

        check_dump("[0.1,1.0,2.50,1e2,1e-7,-0.0]", 0, "[0.1,1.0,2.5,100.0,1e-07,-0.0]");
        for (size_t idx = 0; idx < sizeof(reals) / sizeof(reals[0]); idx++) {
                struct err err;
                char *text = dumped(json_new_real(reals[idx], &err), 0);
                struct json *back = parse(text);
                CHECK_INT(json_type_of(back), JSON_T_REAL);
                double got = json_real(back);
                CHECK(memcmp(&got, &reals[idx], sizeof(got)) == 0);
                json_free(back);
                mem_free(text);
        }
}

TEST(builders_refuse_what_json_has_not)
{
        struct err err;

        CHECK_ERR(json_new_real(NAN, &err) == NULL, err, ERR_INVALID, "finite");
        CHECK_ERR(json_new_real(INFINITY, &err) == NULL, err, ERR_INVALID, "finite");
        CHECK_ERR(json_new_string("\xff", 1, &err) == NULL, err, ERR_INVALID, "UTF-8");
        struct json *object = json_new_object(&err), *array = json_new_array(&err);
        CHECK_ERR(json_set(object, "\xff", 1, json_new_int(1, &err), &err) < 0, err, ERR_INVALID,
            "UTF-8");
        CHECK_ERR(
            json_append(object, json_new_int(1, &err), &err) < 0, err, ERR_INVALID, "not an array");
        CHECK_ERR(json_set(array, "a", 1, json_new_int(1, &err), &err) < 0, err, ERR_INVALID,
            "not an object");
        CHECK_ERR(
            json_append(array, json_new_real(NAN, &err), &err) < 0, err, ERR_INVALID, "finite");
        json_free(object);
        json_free(array);
}

TEST(a_later_member_replaces_an_earlier_one)
{
        struct err err;
        struct json *object = json_new_object(&err);

        CHECK_OK(json_set(object, "key!", 3, json_new_int(1, &err), &err), err);
        CHECK_OK(json_set(object, "key", 3, json_new_string("", 0, &err), &err), err);
        char *text = dumped(object, 0);
        CHECK_STR(text, "{\"key\":\"\"}");
        mem_free(text);
}

TEST(a_full_buffer_is_too_big_and_keeps_what_it_had)
{
        struct err err;
        struct buf buf;
        struct json *value = parse("[1,2,3,{\"a\":\"bcdefgh\"}]");

        for (size_t max = 2; max < 26; max++) {
                buf_init(&buf, max);
                CHECK_OK(buf_addstr(&buf, "->", &err), err);
                int rc = json_dump(value, 0, &buf, &err);
                CHECK(rc == 0 ? buf.len == 25 : err.code == ERR_TOO_BIG && buf.len == 2);
                CHECK_INT(strlen(buf.data), buf.len);
                buf_free(&buf);
        }
        json_free(value);
}

static char *
nested(size_t levels)
{
        char *text = malloc(2 * levels + 1);

        memset(text, '[', levels);
        memset(text + levels, ']', levels);
        text[2 * levels] = '\0';
        return text;
}

/* On a thread's small stack: the deepest that is read can be written and freed there. */
static void *
read_and_write_deep(void *arg)
{
        struct err err;
        char *text = arg;
        char *out = dumped(parse(text), 0);

        CHECK_STR(out, text);
        mem_free(out);
        (void)err;
        return NULL;
}

TEST(nesting_is_bounded_and_fits_the_stack_of_a_thread)
{
        struct err err;
        pthread_t thread;
        char *deepest = nested(2047), *deeper = nested(2049), *absurd = nested(1000000);

        CHECK_OK(thread_start(&thread, "json", read_and_write_deep, deepest, &err), err);
        thread_join(thread);
        check_refused(deeper, strlen(deeper), "maximum parsing depth");
        check_refused(absurd, strlen(absurd), "maximum parsing depth");
        free(deepest);
        free(deeper);
        free(absurd);
}

TEST(a_built_value_that_is_nested_too_deep_is_not_written)
{
        struct err err;
        struct buf buf;
        struct json *value = json_new_array(&err);

        for (int level = 0; level < 3000; level++) {
                struct json *outer = json_new_array(&err);
                CHECK_OK(json_append(outer, value, &err), err);
                value = outer;
        }
        buf_init(&buf, 1 << 20);
        CHECK_ERR(json_dump(value, 0, &buf, &err) < 0, err, ERR_TOO_BIG, "nested");
        CHECK_INT(buf.len, 0);
        buf_free(&buf);
        json_free(value);
}

/* Numbers with an exponent are written otherwise by each version of jq; nothing of ours has them.
 */
TEST(the_canonical_form_is_what_jq_writes)
{
        static const char text[] =
            "{\"z\":[1,2.5,-3,0.1,9007199254740992],\"\\u00e9\":1,\"e\":2,\"E\":3,"
            "\"\\ud83d\\ude00\":4,\"\\uffee\":5,\"esc\":\"\\u0000\\u0001\\u001f\\u007f\\u0080\\b\\f"
            "\\n\\r\\t\\\"\\\\/<>&'\\u2028\",\"nest\":{\"b\":{},\"a\":[],\"\":null},\"t\":true}";
        char command[600], theirs[4096];

        if (system("jq --version >/dev/null 2>&1") != 0)
                SKIP("there is no jq");
        FILE *file = fopen(test_path("in"), "w");
        CHECK(file != NULL && fwrite(text, strlen(text), 1, file) == 1 && fclose(file) == 0);
        for (int indent = 0; indent <= 4; indent += 2) {
                if (indent == 0)
                        snprintf(command, sizeof(command), "jq -cS . <%s", test_path("in"));
                else
                        snprintf(command, sizeof(command), "jq -S --indent %d . <%s", indent,
                            test_path("in"));
                FILE *jq = popen(command, "re");
                CHECK(jq != NULL);
                size_t len = fread(theirs, 1, sizeof(theirs) - 1, jq);
                CHECK(pclose(jq) == 0 && len > 0);
                theirs[len - 1] = '\0';
                char *ours = dumped(parse(text), indent);
                CHECK_STR(ours, theirs);
                mem_free(ours);
        }
}

static int
parse_and_dump(void *arg, struct err *err)
{
        struct json *value = json_parse(arg, strlen(arg), err);
        struct buf buf;
        int rc = -1;

        buf_init(&buf, 1 << 16);
        if (value != NULL)
                rc = json_dump(value, 2, &buf, err);
        buf_free(&buf);
        json_free(value);
        return rc;
}

static int
build(void *arg, struct err *err)
{
        struct json *object = json_new_object(err);
        int rc = -1;

        (void)arg;
        if (object == NULL)
                return -1;
        for (int idx = 0; idx < 20; idx++) {
                char key[16];
                snprintf(key, sizeof(key), "key %d", idx);
                struct json *array = json_new_array(err);
                if (array == NULL)
                        goto done;
                if (json_append(array, json_new_int(idx, err), err) < 0 ||
                    json_append(array, json_new_real(idx, err), err) < 0 ||
                    json_append(array, json_new_null(err), err) < 0 ||
                    json_append(array, json_new_bool(true, err), err) < 0 ||
                    json_append(array, json_new_string("text", 4, err), err) < 0) {
                        json_free(array);
                        goto done;
                }
                if (json_set(object, key, strlen(key), array, err) < 0)
                        goto done;
        }
        rc = 0;
done:
        json_free(object);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        static char text[] = "{\"a\":[1,2.5,\"x\",{\"b\":null}],\"c\":\"a string of some length\"}";
        static char wide[] = "[18446744073709551615,\"x\",{\"a\":1}]";

        test_each_allocation(parse_and_dump, text);
        test_each_allocation(parse_and_dump, wide);
        test_each_allocation(build, NULL);
}
