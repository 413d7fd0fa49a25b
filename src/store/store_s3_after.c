/*
 * What is done to an object in parts when it is complete.  Amazon takes tags and
 * retention with the beginning of an upload; radosgw 16 forgets them.
 */
#include <string.h>

#include "moonkeep/encode.h"
#include "moonkeep/time.h"
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

static int
send(struct object_lane *lane, const struct object_upload *upload, const char *doing,
    const char *param, const struct buf *body, struct cancel *cancel, struct err *err)
{
        struct object_request request;
        struct http_answer answer = { 0 };

        object_request_init(&request, upload->it, doing, "PUT", upload->key);
        object_request_query(&request, param, NULL);
        request.payload = body->data;
        request.payload_len = body->len;
        if (object_call_on(lane, &request, cancel, &answer, err) < 0)
                return -1;
        http_answer_clear(&answer);
        return 0;
}

static int
tag(struct object_lane *lane, const struct object_upload *upload, struct cancel *cancel,
    struct err *err)
{
        struct err why;
        struct buf body;
        int rc;

        err_init(&why);
        buf_init(&body, BODY_MAX);
        rc = write_tags(s3_of(upload->it)->writing.tags, &body, &why);
        if (rc == 0)
                rc = send(lane, upload, "tag", "tagging", &body, cancel, &why);
        buf_free(&body);
        /* A server that knows no tags has ignored them on smaller objects, too. */
        if (rc == 0 || why.code == ERR_UNSUPPORTED || why.code == ERR_INVALID)
                return 0;
        if (err != NULL)
                *err = why;
        return -1;
}

static int
lock(struct object_lane *lane, const struct object_upload *upload, struct cancel *cancel,
    struct err *err)
{
        struct s3_store *it = s3_of(upload->it);
        char until[TIME_ISO_SIZE];
        struct buf body;
        int rc;

        buf_init(&body, BODY_MAX);
        s3_retain_until(it, until);
        rc = buf_addf(&body, err,
            "<Retention><Mode>%s</Mode><RetainUntilDate>%s</RetainUntilDate></Retention>",
            it->writing.retain_mode, until);
        if (rc == 0)
                rc = send(lane, upload, "lock", "retention", &body, cancel, err);
        buf_free(&body);
        return rc;
}

int
s3_finish(struct object_lane *lane, const struct object_upload *upload, struct cancel *cancel,
    struct err *err)
{
        struct s3_store *it = s3_of(upload->it);

        /* An earlier upload began with what was wanted then. */
        if (it->endpoint == NULL && !upload->resumed)
                return 0;
        if (it->writing.tags != NULL && tag(lane, upload, cancel, err) < 0)
                return -1;
        return it->writing.retain_days > 0 ? lock(lane, upload, cancel, err) : 0;
}
