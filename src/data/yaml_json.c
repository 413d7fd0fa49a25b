#include "yaml_internal.h"

#include <string.h>

static size_t
skip_blanks(const char *text, size_t len, size_t at)
{
        while (at < len && memchr(" \t\r\n", text[at], 4) != NULL)
                at++;
        return at;
}

/* Where the array or object that begins at `at` ends, or len when it does not. */
static size_t
end_of_value(const char *text, size_t len, size_t at)
{
        size_t depth = 0;

        for (; at < len; at++) {
                switch (text[at]) {
                case '"':
                        for (at++; at < len && text[at] != '"'; at++)
                                at += text[at] == '\\';
                        break;
                case '{':
                case '[':
                        depth++;
                        break;
                case '}':
                case ']':
                        if (--depth == 0)
                                return at + 1;
                        break;
                default:
                        break;
                }
        }
        return len;
}

static int
add_document(struct yaml_tree *tree, const char *text, size_t len, struct err *err)
{
        struct json *value = json_parse(text, len, err);

        if (value == NULL)
                return -1;
        int rc = yaml_tree_copy(tree, value, err);
        json_free(value);
        return rc < 0 ? -1 : yaml_tree_end_document(tree, err);
}

/*
 * JSON is tried first, as kubectl does: YAML 1.1 does not read all of it (tabs,
 * escaped surrogates, U+2028 in a string), and has no values one behind the other.
 */
int
yaml_json_stream(struct yaml_tree *tree, const char *text, size_t len, struct err *err)
{
        struct err why;
        size_t at = skip_blanks(text, len, 0);

        if (at == len)
                return 0;
        tree->from_json = true;
        while (at < len) {
                size_t end = end_of_value(text, len, at);
                if (text[at] != '{' && text[at] != '[')
                        return 0;
                if (add_document(tree, text + at, end - at, &why) < 0) {
                        if (why.code == ERR_INVALID)
                                return 0;
                        if (err != NULL)
                                *err = why;
                        return -1;
                }
                at = skip_blanks(text, len, end);
        }
        return 1;
}
