#include "yaml_internal.h"

#include <string.h>

#include <yaml.h>

/* libyaml compares each %TAG with all in front of it: without a bound they take hours. */
#define DIRECTIVES_MAX 100

struct source {
        const char *text;
        size_t len;
        size_t at;
        bool needs_newline; /* behind the text */
        yaml_parser_t parser;
};

/* kubectl reads by lines: a literal that ends the file has its newline in any case. */
static int
read_text(void *arg, unsigned char *buffer, size_t size, size_t *size_read)
{
        struct source *source = arg;
        size_t left = source->len - source->at;

        *size_read = left < size ? left : size;
        memcpy(buffer, source->text + source->at, *size_read);
        source->at += *size_read;
        if (*size_read < size && source->needs_newline) {
                buffer[(*size_read)++] = '\n';
                source->needs_newline = false;
        }
        return 1;
}

static int
error_at(const yaml_mark_t *mark, struct err *err)
{
        if (err == NULL || err->code == ERR_NOMEM)
                return -1;
        return err_prefix(err, "YAML, line %zu, column %zu", mark->line + 1, mark->column + 1);
}

/* libyaml's reader knows the byte, its others the place. */
static int
syntax_error(const struct source *source, struct err *err)
{
        const yaml_parser_t *parser = &source->parser;
        const char *problem = parser->problem != NULL ? parser->problem : "not YAML";
        yaml_mark_t mark = parser->problem_mark;

        if (parser->error == YAML_MEMORY_ERROR)
                return err_set(err, ERR_NOMEM, "cannot allocate memory for YAML");
        if (parser->error == YAML_READER_ERROR) {
                mark = (yaml_mark_t){ .index = 0 };
                for (size_t at = 0; at < parser->problem_offset && at < source->len; at++) {
                        bool newline = source->text[at] == '\n';
                        mark.line += newline;
                        mark.column = newline ? 0 : mark.column + 1;
                }
        }
        /* The end of a file is far from the quote that is open. */
        if (parser->context != NULL && parser->context_mark.line != mark.line)
                err_set(err, ERR_INVALID, "%s from line %zu on, %s", parser->context,
                    parser->context_mark.line + 1, problem);
        else if (parser->context != NULL)
                err_set(err, ERR_INVALID, "%s, %s", parser->context, problem);
        else
                err_set(err, ERR_INVALID, "%s", problem);
        return error_at(&mark, err);
}

static bool
is_tag(const yaml_char_t *tag, const char *want)
{
        return tag == NULL || strcmp((const char *)tag, "!") == 0 ||
               strcmp((const char *)tag, want) == 0;
}

static int
wrong_tag(struct err *err, const char *what)
{
        return err_set(err, ERR_INVALID, "the tag of a %s is not supported", what);
}

static int
add_scalar(struct yaml_tree *tree, const yaml_event_t *event, struct err *err)
{
        const struct yaml_scalar scalar = {
                .text = (const char *)event->data.scalar.value,
                .len = event->data.scalar.length,
                .tag = (const char *)event->data.scalar.tag,
                .plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE,
        };
        const char *anchor = (const char *)event->data.scalar.anchor;

        /* A document of nothing at all is none. */
        if (tree->depth == 0 && scalar.plain && scalar.len == 0 && scalar.tag == NULL &&
            anchor == NULL)
                return 0;
        return yaml_tree_scalar(tree, &scalar, anchor, err);
}

static int
handle(struct yaml_tree *tree, const yaml_event_t *event, struct err *err)
{
        switch (event->type) {
        case YAML_SCALAR_EVENT:
                return add_scalar(tree, event, err);
        case YAML_ALIAS_EVENT:
                return yaml_tree_alias(tree, (const char *)event->data.alias.anchor, err);
        case YAML_SEQUENCE_START_EVENT:
                if (!is_tag(event->data.sequence_start.tag, YAML_SEQ_TAG))
                        return wrong_tag(err, "list");
                return yaml_tree_open(
                    tree, false, (const char *)event->data.sequence_start.anchor, err);
        case YAML_MAPPING_START_EVENT:
                if (!is_tag(event->data.mapping_start.tag, YAML_MAP_TAG))
                        return wrong_tag(err, "mapping");
                return yaml_tree_open(
                    tree, true, (const char *)event->data.mapping_start.anchor, err);
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
                return yaml_tree_close(tree, err);
        case YAML_DOCUMENT_END_EVENT:
                return yaml_tree_end_document(tree, err);
        default:
                return 0;
        }
}

static int
run(struct source *source, struct yaml_tree *tree, struct err *err)
{
        bool ended = false;

        while (!ended) {
                yaml_event_t event;
                if (!yaml_parser_parse(&source->parser, &event))
                        return syntax_error(source, err);
                ended = event.type == YAML_STREAM_END_EVENT;
                int rc = handle(tree, &event, err);
                if (rc < 0)
                        error_at(&event.start_mark, err);
                yaml_event_delete(&event);
                if (rc < 0)
                        return -1;
        }
        return 0;
}

/* Is it, in UTF-16, what libyaml takes for the end of a line? */
static bool
breaks(unsigned unit)
{
        return unit == '\n' || unit == '\r' || unit == 0x85 || unit == 0x2028 || unit == 0x2029;
}

static size_t
count_wide(const unsigned char *text, size_t len)
{
        size_t high = text[0] == 0xff ? 1 : 0, count = 0;
        bool starts = true;

        for (size_t at = 2; at + 1 < len; at += 2) {
                unsigned unit = (unsigned)text[at + high] << 8 | text[at + 1 - high];
                count += starts && unit == '%';
                starts = breaks(unit);
        }
        return count;
}

/* The same in UTF-8, where the last byte of the character is at that place. */
static bool
breaks_at(const char *text, size_t at)
{
        if (text[at] == '\n' || text[at] == '\r')
                return true;
        if (at >= 1 && memcmp(text + at - 1, "\xc2\x85", 2) == 0)
                return true;
        return at >= 2 && (memcmp(text + at - 2, "\xe2\x80\xa8", 3) == 0 ||
                              memcmp(text + at - 2, "\xe2\x80\xa9", 3) == 0);
}

/* Lines that begin with "%". */
static size_t
count_directives(const char *text, size_t len)
{
        const char *at = text;
        size_t count = 0;

        while ((at = memchr(at, '%', len - (size_t)(at - text))) != NULL) {
                count += at == text || breaks_at(text, (size_t)(at - text) - 1);
                at++;
        }
        return count;
}

static int
parse_yaml(struct yaml_tree *tree, const char *text, size_t len, struct err *err)
{
        struct source source = { .text = text, .len = len };
        bool wide =
            len >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0);

        size_t directives =
            wide ? count_wide((const unsigned char *)text, len) : count_directives(text, len);
        if (directives > DIRECTIVES_MAX)
                return err_set(
                    err, ERR_TOO_BIG, "YAML has more than %d directives", DIRECTIVES_MAX);
        source.needs_newline = len > 0 && text[len - 1] != '\n' && !wide;
        if (!yaml_parser_initialize(&source.parser))
                return err_set(err, ERR_NOMEM, "cannot allocate memory for YAML");
        yaml_parser_set_input(&source.parser, read_text, &source);
        int rc = run(&source, tree, err);
        yaml_parser_delete(&source.parser);
        return rc;
}

static bool
begins_with_bom(const char *text, size_t len)
{
        return len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;
}

struct json *
yaml_parse(const char *text, size_t len, struct err *err)
{
        struct yaml_tree tree;
        struct json *documents = NULL;

        if (len > YAML_TEXT_MAX) {
                err_set(err, ERR_TOO_BIG, "YAML is larger than %zu bytes", YAML_TEXT_MAX);
                return NULL;
        }
        if (begins_with_bom(text, len)) {
                text += 3;
                len -= 3;
        }
        if (yaml_tree_init(&tree, err) < 0)
                return NULL;
        int json = yaml_json_stream(&tree, text, len, err);
        if (json == 0) {
                yaml_tree_free(&tree);
                if (yaml_tree_init(&tree, err) < 0)
                        return NULL;
                json = parse_yaml(&tree, len != 0 ? text : "", len, err) < 0 ? -1 : 1;
        }
        if (json > 0) {
                documents = tree.documents;
                tree.documents = NULL;
        }
        yaml_tree_free(&tree);
        return documents;
}
