#include "harness/test.h"
#include "moonkeep/mem.h"
#include "moonkeep/thread.h"
#include "moonkeep/yaml.h"

#include <stdio.h>
#include <stdlib.h>

static char *
parsed(const char *text, size_t len)
{
        struct err err;
        struct buf buf;

        err_init(&err);
        struct json *documents = yaml_parse(text, len, &err);
        CHECK_PTR(documents, err);
        buf_init(&buf, (size_t)64 << 20);
        CHECK_OK(json_dump(documents, 0, &buf, &err), err);
        json_free(documents);
        char *out = buf_detach(&buf, &err);
        CHECK_PTR(out, err);
        return out;
}

static void
check_bytes(const char *text, size_t len, const char *want)
{
        char *got = parsed(text, len);

        CHECK_STR(got, want);
        mem_free(got);
}

static void
check_text(const char *text, const char *want)
{
        check_bytes(text, strlen(text), want);
}

static void
check_refused(const char *text, size_t len, enum err_code code, const char *why)
{
        struct err err;

        err_init(&err);
        CHECK_ERR(yaml_parse(text, len, &err) == NULL, err, code, why);
        CHECK(strchr(err.msg, '\n') == NULL);
}

static void
check_invalid(const char *text, const char *why)
{
        check_refused(text, strlen(text), ERR_INVALID, why);
}

TEST(reads_all_documents_and_leaves_out_empty_ones)
{
        check_text("", "[]");
        check_text("# only a comment\n", "[]");
        check_text("---\n---\na: 1\n---\n# x\n---\nb: 2\n...\n---\n", "[{\"a\":1},{\"b\":2}]");
        check_text("a: 1\n...\n---\nb: 2\n", "[{\"a\":1},{\"b\":2}]");
        /* kubectl silently drops the second of these. */
        check_invalid(
            "a: 1\n...\nb: 2\n", "line 3, column 1: did not find expected <document start>");
        check_text("--- null\n--- ~\n--- \"\"\n--- !!str\n", "[null,null,\"\",\"\"]");
        check_text("%YAML 1.1\n---\na: 1\n", "[{\"a\":1}]");
        check_text("--- x\n--- [1]\n--- 7", "[\"x\",[1],7]");
}

TEST(reads_block_and_flow_alike)
{
        check_text("a:\n- b: 1\n  c: [x, {d: ~}]\n-\n  - e\n  - - f\nempty:\ng: {}\nh: []\n",
            "[{\"a\":[{\"b\":1,\"c\":[\"x\",{\"d\":null}]},[\"e\",[\"f\"]]],\"empty\":null,\"g\":"
            "{},\"h\":[]}]");
        check_text("{a: b, ? c : d}\n", "[{\"a\":\"b\",\"c\":\"d\"}]");
        check_text("\"quoted key\": 1\n'it''s': 2\n? explicit\n: 3\n\"\": 4\n",
            "[{\"\":4,\"explicit\":3,\"it's\":2,\"quoted key\":1}]");
}

TEST(strings_of_several_lines_are_those_of_yaml)
{
        check_text("v: |\n  a\n   b\n\n  c\n", "[{\"v\":\"a\\n b\\n\\nc\\n\"}]");
        check_text(
            "v: |-\n  a\n\nw: |+\n  b\n\nx: 1\n", "[{\"v\":\"a\",\"w\":\"b\\n\\n\",\"x\":1}]");
        check_text("v: >\n  a\n  b\n\n  c\n", "[{\"v\":\"a b\\nc\\n\"}]");
        check_text("v: |2\n    a\n   b\n", "[{\"v\":\"  a\\n b\\n\"}]");
        check_text("v: a\n  b\n\n  c\n", "[{\"v\":\"a b\\nc\"}]");
        check_text("v: \"a\n  b\\\n  c\"\n", "[{\"v\":\"a bc\"}]");
        /* The newline that a literal at the end of the file lacks, as with kubectl. */
        check_text("v: |\n  a", "[{\"v\":\"a\\n\"}]");
        check_text("v: |+\n  a", "[{\"v\":\"a\\n\"}]");
        check_text("v: |-\n  a", "[{\"v\":\"a\"}]");
}

TEST(bytes_in_front_and_line_ends_do_not_matter)
{
        static const char wide[] = "\xff\xfe"
                                   "a\0:\0 \0001\0\r\0\n\0";

        check_text("\xef\xbb\xbf"
                   "a: 1\r\nb: |\r\n  x\r\n  y\r\n",
            "[{\"a\":1,\"b\":\"x\\ny\\n\"}]");
        check_text("\xef\xbb\xbf{\"a\":1}", "[{\"a\":1}]");
        check_text("a: 1\rb: 2\r", "[{\"a\":1,\"b\":2}]");
        check_bytes(wide, sizeof(wide) - 1, "[{\"a\":1}]");
}

TEST(json_is_read_as_json)
{
        check_text("{\"a\":\"\\ud83d\\ude00\\/\",\n\t\"b\":[1e3,1.0,1.5,9223372036854775808]}",
            "[{\"a\":\"\xf0\x9f\x98\x80/\",\"b\":[1000,1,1.5,9.223372036854776e+18]}]");
        check_text("{\"a\":1}{\"a\":2}\n[3]\n", "[{\"a\":1},{\"a\":2},[3]]");
        check_text("{\"a\":\"}\\\"{\"} {}", "[{\"a\":\"}\\\"{\"},{}]");
        check_text("{\"a\":\"x\xe2\x80\xa8y\x7f\"}", "[{\"a\":\"x\xe2\x80\xa8y\\u007f\"}]");
        /* What is no JSON may still be YAML. */
        check_text("{a: 1}\n", "[{\"a\":1}]");
        check_text("{\"a\":1}\n---\nb: 2\n", "[{\"a\":1},{\"b\":2}]");
        check_text("[a, b]\n", "[[\"a\",\"b\"]]");
}

TEST(aliases_are_copies_and_the_last_anchor_counts)
{
        check_text("a: &x {p: [1, yes]}\nb: *x\nc: [*x, *x]\n",
            "[{\"a\":{\"p\":[1,true]},\"b\":{\"p\":[1,true]},\"c\":[{\"p\":[1,true]},{\"p\":[1,"
            "true]}]}]");
        check_text("a: &x 1\nb: &x 2\nc: *x\n", "[{\"a\":1,\"b\":2,\"c\":2}]");
        check_text("&k a: b\nc: {*k : d}\n", "[{\"a\":\"b\",\"c\":{\"a\":\"d\"}}]");
        check_text("a: &k 1e6\n*k : c\n", "[{\"1e+06\":\"c\",\"a\":1000000}]");
}

TEST(merges_go_in_the_order_of_the_text)
{
        check_text("<<: {a: 1, b: 1}\nb: 2\n", "[{\"a\":1,\"b\":2}]");
        check_text("b: 2\n<<: {a: 1, b: 1}\n", "[{\"a\":1,\"b\":1}]");
        check_text("<<: [{a: 1}, {a: 2, b: 2}]\n", "[{\"a\":1,\"b\":2}]");
        check_text("\"<<\": {a: 1}\n", "[{\"<<\":{\"a\":1}}]");
        check_text("base: &base {image: x, env: [a]}\nc: {<<: *base, image: z}\n",
            "[{\"base\":{\"env\":[\"a\"],\"image\":\"x\"},\"c\":{\"env\":[\"a\"],\"image\":\"z\"}"
            "}]");
        check_invalid("<<: {a: 1}\na: 2\na: 3\n", "line 3, column 1: the key \"a\" is there twice");
        check_invalid("a: 2\n<<: {a: 1}\na: 3\n", "line 3, column 1: the key \"a\" is there twice");
        check_invalid("<<: 1\n", "has to be a mapping");
        check_invalid("<<: [1]\n", "has to be a mapping");
}

TEST(what_is_wrong_is_said_with_its_place)
{
        check_invalid("a: 1\nb: [1\n", "YAML, line 3, column 1");
        check_invalid("a:\n  - b\n c\n", "YAML, line 3, column 2");
        check_invalid("a: 1\n\tb: 2\n", "YAML, line 2, column 1");
        check_invalid(
            "a: 1\nb:\n  c: 1\n  c: 2\n", "line 4, column 3: the key \"c\" is there twice");
        check_invalid("{\"a\":1,\"a\":2}", "the key \"a\" is there twice");
        check_invalid("1: a\n\"1\": b\n", "the key \"1\" is there twice");
        check_invalid("yes: a\non: b\n", "the key \"true\" is there twice");
        check_invalid("? [a]\n: 1\n", "cannot be a key");
        check_invalid("? {a: b}\n: 1\n", "cannot be a key");
        check_invalid("a: &x [1]\n*x : 1\n", "cannot be a key");
        check_invalid("~: 1\n", "null cannot be a key");
        check_invalid("18446744073709551615: 1\n", "too large for a key");
        check_invalid("\"a\\0b\": 1\n", "a key contains NUL");
        check_invalid("a: *b\n", "line 1, column 4: there is no anchor \"b\"");
        check_invalid("a: &x 1\n---\nb: *x\n", "there is no anchor \"x\"");
        check_invalid("a: &x [*x]\n", "contains itself");
        check_invalid("a: .inf\n", "infinity has no place in JSON");
        check_invalid("a: .nan\n", ".nan has no place in JSON");
        check_invalid("a: !foo 1\n", "the tag \"!foo\" is not supported");
        check_invalid("a: !!set {b}\n", "the tag of a mapping is not supported");
        check_invalid("a: !!python/object:x []\n", "the tag of a list is not supported");
        check_invalid("a: !!int x\n", "\"x\" is tagged !!int, and is none");
        check_invalid("a: !!binary gICA\n", "not UTF-8");
        check_invalid("a: !!binary x\n", "base64");
        check_invalid("a: \"\\ud800\"\n", NULL);
}

TEST(bytes_that_are_no_text_are_refused_with_their_place)
{
        check_refused("a: x\0y\n", 7, ERR_INVALID, "YAML, line 1, column 5: control characters");
        check_refused("a: 1\nb: \xff\n", 10, ERR_INVALID, "YAML, line 2, column 4");
        check_refused("a: \xc0\x80\n", 6, ERR_INVALID, "YAML, line 1, column 4");
        check_refused("a: \xed\xa0\x80\n", 7, ERR_INVALID, NULL);
        check_refused("a: \xe2\x82", 5, ERR_INVALID, "invalid trailing UTF-8 octet");
        check_refused("a: x\x7f\n", 6, ERR_INVALID, "control characters");
        check_refused("\0", 1, ERR_INVALID, "control characters");
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

/* On a thread's small stack, with an alias of all of it. */
static void *
read_deep(void *arg)
{
        struct err err;
        struct buf text;
        char *brackets = arg;

        buf_init(&text, 1 << 20);
        CHECK_OK(buf_addf(&text, &err, "# x\na: &x %s\nb: *x\n", brackets), err);
        mem_free(parsed(text.data, text.len));
        buf_free(&text);
        return NULL;
}

TEST(nesting_is_bounded_and_fits_the_stack_of_a_thread)
{
        struct err err;
        pthread_t thread;
        char *deepest = nested(YAML_DEPTH_MAX - 1), *deeper = nested(YAML_DEPTH_MAX + 1),
             *absurd = nested(1000000);

        CHECK_OK(thread_start(&thread, "yaml", read_deep, deepest, &err), err);
        thread_join(thread);
        check_refused(deeper, strlen(deeper), ERR_TOO_BIG, "nested more than 512 deep");
        check_refused(absurd, strlen(absurd), ERR_TOO_BIG, "nested more than 512 deep");
        /* Block style, and an alias that makes a legal depth an illegal one. */
        for (size_t at = 0; at < 4000; at += 2)
                memcpy(absurd + at, "- ", 2);
        check_refused(absurd, 4000, ERR_TOO_BIG, "nested more than 512 deep");
        struct buf text;
        buf_init(&text, 1 << 20);
        CHECK_OK(buf_addf(&text, &err, "a: &x %s\nb: [*x]\n", deepest), err);
        check_refused(text.data, text.len, ERR_TOO_BIG, "line 2, column 5: nested more than");
        buf_free(&text);
        free(deepest);
        free(deeper);
        free(absurd);
}

TEST(alias_bombs_end_early)
{
        struct err err;
        struct buf text;
        static char big[1 << 20];

        buf_init(&text, (size_t)4 << 20);
        CHECK_OK(buf_addstr(&text, "a: &a [x,x,x,x,x,x,x,x,x,x]\n", &err), err);
        for (char name = 'b'; name <= 'j'; name++) {
                char of = (char)(name - 1);
                CHECK_OK(
                    buf_addf(&text, &err, "%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n",
                        name, name, of, of, of, of, of, of, of, of, of, of),
                    err);
        }
        check_refused(text.data, text.len, ERR_TOO_BIG, "more than 2000000 values");

        /* Few values, each of them large. */
        buf_clear(&text);
        memset(big, 'x', sizeof(big) - 1);
        CHECK_OK(buf_addf(&text, &err, "a: &a %s\nb: [", big), err);
        for (int idx = 0; idx < 100; idx++)
                CHECK_OK(buf_addstr(&text, "*a,", &err), err);
        CHECK_OK(buf_addstr(&text, "]\n", &err), err);
        check_refused(text.data, text.len, ERR_TOO_BIG, "strings of more than");
        buf_free(&text);
        check_refused("a", YAML_TEXT_MAX + 1, ERR_TOO_BIG, "YAML is larger than");
}

TEST(directives_are_bounded)
{
        struct err err;
        struct buf text;

        check_text("%YAML 1.1\n%TAG !e! tag:yaml.org,2002:\n---\na: !e!str 1\n", "[{\"a\":\"1\"}]");
        buf_init(&text, 1 << 16);
        for (int idx = 0; idx <= 100; idx++)
                CHECK_OK(buf_addf(&text, &err, "%%TAG !t%d! b\n", idx), err);
        CHECK_OK(buf_addstr(&text, "---\na: 1\n", &err), err);
        check_refused(text.data, text.len, ERR_TOO_BIG, "more than 100 directives");
        buf_free(&text);
}

TEST(directives_are_bounded_whatever_ends_their_lines)
{
        static const char *const ends[] = { "\r", "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9" };
        static const char *const wide_ends[] = { "\0\n", "\0\x85", "\x20\x28", "\x20\x29" };
        struct err err;
        struct buf text;

        for (size_t end = 0; end < 4; end++) {
                buf_init(&text, 1 << 16);
                for (int idx = 0; idx <= 100; idx++)
                        CHECK_OK(buf_addf(&text, &err, "%%TAG !t%d! b%s", idx, ends[end]), err);
                check_refused(text.data, text.len, ERR_TOO_BIG, "more than 100 directives");
                buf_free(&text);
                /* UTF-16 of either order. */
                for (size_t low = 0; low < 2; low++) {
                        buf_init(&text, 1 << 16);
                        CHECK_OK(buf_add(&text, "\xfe\xff", 2, &err), err);
                        for (int idx = 0; idx <= 100; idx++) {
                                CHECK_OK(buf_add(&text, "\0%", 2, &err), err);
                                CHECK_OK(buf_add(&text, wide_ends[end], 2, &err), err);
                        }
                        for (size_t at = 0; low != 0 && at < text.len; at += 2) {
                                char first = text.data[at];
                                text.data[at] = text.data[at + 1];
                                text.data[at + 1] = first;
                        }
                        check_refused(text.data, text.len, ERR_TOO_BIG, "more than 100");
                        buf_free(&text);
                }
        }
}

static int
parse(void *arg, struct err *err)
{
        struct json *documents = yaml_parse(arg, strlen(arg), err);

        json_free(documents);
        return documents != NULL ? 0 : -1;
}

TEST(survives_each_failing_allocation)
{
        static char block[] = "a: &x\n- b: 1.5\n  0x1f: !!int \"7\"\n  c: [x, ~, yes, 2]\n"
                              "b: *x\n<<: {d: &y !!str 1}\n<<: [{e: *y}]\n"
                              "f: !!binary aGVsbG8=\n---\n1: 2\n";
        static char json[] = "{\"a\":[1,2.5,\"x\",{\"b\":null}],\"c\":1e3}{}";

        test_each_allocation(parse, block);
        test_each_allocation(parse, json);
}
