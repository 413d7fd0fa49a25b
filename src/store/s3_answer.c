/* Answers of S3 in XML, and what stands in them. */
#include <string.h>

#include "moonkeep/encode.h"
#include "moonkeep/mem.h"
#include "s3.h"

struct xml *
s3_call_xml(struct object_store *it, struct object_lane *lane, struct object_request *request,
    const char *root, struct cancel *cancel, struct err *err)
{
        struct http_answer answer = { 0 };
        const char *doing = request->doing;
        struct xml *xml = NULL;
        struct err why;

        int rc = lane != NULL ? object_call_on(lane, request, cancel, &answer, err)
                              : object_call(it, request, cancel, &answer, err);
        if (rc < 0)
                return NULL;
        const char *text = answer.body.data != NULL ? answer.body.data : "";
        err_init(&why);
        xml = xml_parse(text, answer.body.len, &why);
        if (xml == NULL && why.code == ERR_NOMEM && err != NULL)
                *err = why;
        else if (xml == NULL)
                err_set(err, ERR_PROTOCOL, "cannot %s \"%s\": the answer is no XML: %s", doing,
                    store_place(&it->store), why.msg);
        if (xml != NULL && strcmp(xml_name(xml), root) != 0) {
                err_set(err, ERR_PROTOCOL,
                    "cannot %s \"%s\": the answer is a \"%.64s\", not a \"%s\"", doing,
                    store_place(&it->store), xml_name(xml), root);
                xml_free(xml);
                xml = NULL;
        }
        http_answer_clear(&answer);
        return xml;
}

/* Listings have keys in a form that XML can carry, in which '+' is a space. */
char *
s3_decoded(const struct xml *listing, const char *text, struct err *err)
{
        const char *encoding = xml_text_at(listing, "EncodingType");
        size_t len = strlen(text);
        struct buf out;

        if (encoding == NULL || strcmp(encoding, "url") != 0)
                return mem_strdup(text, err);
        char *spaced = mem_strdup(text, err);
        if (spaced == NULL)
                return NULL;
        for (char *at = spaced; *at != '\0'; at++) {
                if (*at == '+')
                        *at = ' ';
        }
        buf_init(&out, len);
        int rc = url_decode(spaced, len, &out, err);
        mem_free(spaced);
        if (rc == 0 && out.data != NULL && memchr(out.data, '\0', out.len) != NULL)
                rc = err_set(err, ERR_INVALID, "there is a key with a NUL in it: \"%.256s\"", text);
        if (rc < 0) {
                buf_free(&out);
                return NULL;
        }
        return buf_detach(&out, err);
}

void
s3_etag(const char *text, char out[STORE_ETAG_MAX + 1])
{
        size_t len = strlen(text);

        out[0] = '\0';
        if (len >= 2 && text[0] == '"' && text[len - 1] == '"') {
                text++;
                len -= 2;
        }
        if (len > STORE_ETAG_MAX)
                return;
        memcpy(out, text, len);
        out[len] = '\0';
}

int
s3_number(const char *text, uint64_t *out)
{
        size_t len = strlen(text);
        uint64_t number = 0;

        if (len == 0 || len > 19 || strspn(text, "0123456789") != len)
                return -1;
        for (; *text != '\0'; text++)
                number = number * 10 + (uint64_t)(*text - '0');
        *out = number;
        return 0;
}

bool
s3_class_is_archive(const char *class)
{
        return class != NULL &&
               (strcmp(class, "GLACIER") == 0 || strcmp(class, "DEEP_ARCHIVE") == 0);
}

char *
s3_full_key(const struct object_store *it, const char *key, struct err *err)
{
        size_t len = strlen(it->prefix);
        char *full = mem_alloc(len + strlen(key) + 1, err);

        if (full != NULL) {
                memcpy(full, it->prefix, len);
                memcpy(full + len, key, strlen(key) + 1);
        }
        return full;
}
