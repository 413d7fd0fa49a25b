/* Tags of objects that were written in parts. */
#include <string.h>

#include "moonkeep/encode.h"
#include "moonkeep/mem.h"
#include "s3.h"

#define BODY_MAX ((size_t)64 * 1024)

/* A name or a value, as x-amz-tagging has it, as XML. */
static int
add_text(const char *text, size_t len, struct buf *out, struct err *err)
{
        struct buf plain;

        buf_init(&plain, len);
        int rc = url_decode(text, len, &plain, err);
        if (rc == 0)
                rc = xml_escape(plain.data != NULL ? plain.data : "", plain.len, out, err);
        buf_free(&plain);
        return rc;
}

static int
write_tags(const char *tags, struct buf *out, struct err *err)
{
        if (buf_addstr(out, "<Tagging><TagSet>", err) < 0)
                return -1;
        for (const char *at = tags; *at != '\0';) {
                size_t name_len = strcspn(at, "=");
                const char *value = at + name_len + 1;
                size_t value_len = strcspn(value, "&");
                if (buf_addstr(out, "<Tag><Key>", err) < 0 ||
                    add_text(at, name_len, out, err) < 0 ||
                    buf_addstr(out, "</Key><Value>", err) < 0 ||
                    add_text(value, value_len, out, err) < 0 ||
                    buf_addstr(out, "</Value></Tag>", err) < 0)
                        return -1;
                at = value + value_len + (value[value_len] == '&');
        }
        return buf_addstr(out, "</TagSet></Tagging>", err);
}

int
s3_tag(struct object_lane *lane, const struct object_upload *upload, struct cancel *cancel,
    struct err *err)
{
        struct s3_store *it = s3_of(upload->it);
        struct object_request request;
        struct http_answer answer = { 0 };
        struct err why;
        struct buf body;
        int rc = -1;

        /* Amazon takes them with the beginning of an upload; radosgw 16 forgets them. */
        if (it->writing.tags == NULL || it->endpoint == NULL)
                return 0;
        buf_init(&body, BODY_MAX);
        err_init(&why);
        if (write_tags(it->writing.tags, &body, &why) == 0) {
                object_request_init(&request, upload->it, "tag", "PUT", upload->key);
                object_request_query(&request, "tagging", NULL);
                request.payload = body.data;
                request.payload_len = body.len;
                rc = object_call_on(lane, &request, cancel, &answer, &why);
        }
        buf_free(&body);
        if (rc == 0)
                http_answer_clear(&answer);
        /* A server that knows no tags has ignored them on smaller objects, too. */
        if (rc == 0 || why.code == ERR_UNSUPPORTED || why.code == ERR_INVALID)
                return 0;
        if (err != NULL)
                *err = why;
        return -1;
}
