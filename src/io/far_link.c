#include "far_link.h"

#include <string.h>

#include "far_script.h"
#include "moonkeep/encode.h"
#include "moonkeep/rand.h"
#include "moonkeep/secret.h"
#include "moonkeep/time.h"

#define SCRIPT_MAX ((size_t)64 * 1024 * 1024)

/* A line of our script is short; what is longer than that without an end is none. */
#define LINE_MAX_LEN ((size_t)512)
#define RAW_MAX ((size_t)1024 * 1024)
#define WORDS_MAX ((size_t)8192)

/* How often a sign of life is asked for; it also says that we are alive. */
#define ASK_MS 15000

int
far_mark(char out[FAR_MARK_SIZE], struct err *err)
{
        unsigned char bytes[(FAR_MARK_SIZE - 1) / 2];

        if (rand_bytes(bytes, sizeof(bytes), err) < 0)
                return -1;
        hex_encode(bytes, sizeof(bytes), out);
        return 0;
}

int
far_quote(struct buf *out, const char *text, size_t len, struct err *err)
{
        if (buf_add(out, "'", 1, err) < 0)
                return -1;
        while (len > 0) {
                const char *quote = memchr(text, '\'', len);
                size_t part = quote != NULL ? (size_t)(quote - text) : len;
                if (buf_add(out, text, part, err) < 0)
                        return -1;
                text += part;
                len -= part;
                if (quote == NULL)
                        continue;
                if (buf_addstr(out, "'\\''", err) < 0)
                        return -1;
                text++;
                len--;
        }
        return buf_add(out, "'", 1, err);
}

static int
send_script(struct far_link *link, const char *script, const char *const *args, struct err *err)
{
        struct buf text;
        int rc = -1;

        buf_init(&text, SCRIPT_MAX);
        if (buf_addf(&text, err, "_mkM=%s; set --", link->mark) < 0)
                goto out;
        for (; args != NULL && *args != NULL; args++) {
                if (buf_add(&text, " ", 1, err) < 0 ||
                    far_quote(&text, *args, strlen(*args), err) < 0)
                        goto out;
        }
        if (buf_add(&text, "\n", 1, err) < 0 || buf_addstr(&text, far_script_common, err) < 0 ||
            buf_addstr(&text, script, err) < 0 || buf_addf(&text, err, "%s\n", link->mark) < 0)
                goto out;
        rc = far_link_send(link, text.data, text.len, err);
out:
        buf_free(&text);
        return rc;
}

static int
no_shell(const struct far_host *host, struct err *err)
{
        /* What passes by itself is a place that is not there now, not a program. */
        if (err == NULL || err->code != ERR_NOT_FOUND || err->retryable || err->http == 404 ||
            strstr(err->msg, "\"sh\"") == NULL)
                return -1;
        return err_hint(
            err, "%s has no shell; a helper with a shell and tar is needed there", host->label);
}

int
far_link_open(struct far_link *link, struct far_host *host, const char *script,
    const char *const *args, int64_t stall_ms, struct cancel *cancel, struct err *err)
{
        const char *const argv[] = { "sh", "-c", far_script_boot, "moonkeep", link->mark, NULL };

        buf_init(&link->raw, RAW_MAX);
        buf_init(&link->words, WORDS_MAX);
        link->far = NULL;
        link->other_bytes = 0;
        link->ended = false;
        link->stall_ms = stall_ms;
        link->host = far_host_ref(host);
        if (far_mark(link->mark, err) < 0)
                goto fail;
        link->far = far_open(host, argv, cancel, err);
        if (link->far == NULL) {
                no_shell(host, err);
                goto fail;
        }
        link->far->stall_ms = stall_ms;
        link->silent_ms = link->quiet_ms = 0;
        link->asked_ms = time_mono_ms();
        if (send_script(link, script, args, err) < 0)
                goto fail;
        return 0;

fail:
        far_link_close(link);
        return -1;
}

void
far_link_close(struct far_link *link)
{
        far_free(link->far);
        link->far = NULL;
        far_host_unref(link->host);
        link->host = NULL;
        buf_free(&link->raw);
        buf_free(&link->words);
}

int
far_link_send(struct far_link *link, const void *data, size_t len, struct err *err)
{
        return far_send(link->far, data, len, err);
}

int
far_link_send_some(
    struct far_link *link, const void *data, size_t len, size_t *sent, struct err *err)
{
        int rc = far_send_some(link->far, data, len, sent, err);

        /* What is taken is a sign of life, and of a command that goes on. */
        if (rc == 0 && *sent > 0)
                link->silent_ms = link->quiet_ms = 0;
        return rc;
}

static int
take_line(struct far_link *link, char *line, struct err *err)
{
        char *rest = strchr(line, ' ');

        if (rest != NULL)
                *rest++ = '\0';
        else
                rest = line + strlen(line);
        if (strcmp(line, "alive") == 0)
                return 0;
        if (strcmp(line, "need") == 0) {
                err_set(err, ERR_UNSUPPORTED, "%s has no %s", link->host->label, rest);
                return err_hint(err, "install it there; for a pod, an image that has it may help: "
                                     "helper=IMAGE behind "
                                     "the ? of the target");
        }
        if (strcmp(line, "nogroup") == 0)
                return err_set(err, ERR_UNSUPPORTED,
                    "%s does not start commands in a process group of their own",
                    link->host->label);
        if (link->line == NULL)
                return 0;
        return link->line(link->arg, line, rest, err);
}

/* What is not ours.  Of more than fits the beginning is what tells. */
static int
take_other(struct far_link *link, const char *data, size_t len, struct err *err)
{
        size_t room = WORDS_MAX - link->words.len;

        if (len == 0)
                return 0;
        link->quiet_ms = 0;
        link->other_bytes += len;
        if (link->other != NULL)
                return link->other(link->arg, data, len, err);
        return buf_add(&link->words, data, len < room ? len : room, err);
}

/* How much of the end of raw may be the beginning of "\nMARK ". */
static size_t
begun_mark(const struct buf *raw, const char *start, size_t start_len)
{
        size_t len = raw->len < start_len - 1 ? raw->len : start_len - 1;

        while (len > 0 && memcmp(raw->data + raw->len - len, start, len) != 0)
                len--;
        return len;
}

/* Divide standard error into the lines of our script and all else. */
static int
divide(struct far_link *link, struct err *err)
{
        char start[FAR_MARK_SIZE + 2];
        const size_t start_len = FAR_MARK_SIZE + 1;
        char line[LINE_MAX_LEN + 1];

        start[0] = '\n';
        memcpy(start + 1, link->mark, FAR_MARK_SIZE - 1);
        start[FAR_MARK_SIZE] = ' ';
        for (;;) {
                char *at = link->raw.len > 0
                               ? memmem(link->raw.data, link->raw.len, start, start_len)
                               : NULL;
                if (at == NULL)
                        break;
                size_t before = (size_t)(at - link->raw.data);
                size_t behind = link->raw.len - before - start_len;
                const char *end = memchr(at + start_len, '\n', behind);
                if (take_other(link, link->raw.data, before, err) < 0)
                        return -1;
                if (end == NULL && behind <= LINE_MAX_LEN) {
                        buf_consume(&link->raw, before);
                        return 0;
                }
                size_t len = end != NULL ? (size_t)(end - at) - start_len : behind;
                if (end == NULL || len > LINE_MAX_LEN)
                        return err_set(err, ERR_PROTOCOL, "%s says more than our script does",
                            link->host->label);
                memcpy(line, at + start_len, len);
                line[len] = '\0';
                buf_consume(&link->raw, before + start_len + len + 1);
                if (take_line(link, line, err) < 0)
                        return -1;
        }
        size_t keep = begun_mark(&link->raw, start, start_len);
        size_t other = link->raw.len - keep;
        if (take_other(link, link->raw.data, other, err) < 0)
                return -1;
        buf_consume(&link->raw, other);
        return 0;
}

/* How long one wait is, so that questions are asked in time. */
static int64_t
ask_ms(const struct far_link *link)
{
        return link->stall_ms > 0 && link->stall_ms / 3 < ASK_MS ? link->stall_ms / 3 + 1 : ASK_MS;
}

/* Ask for a sign of life when it is time, which also says that we are there. */
static int
keep_alive(struct far_link *link, struct err *err)
{
        int64_t now = time_mono_ms();

        if (link->stall_ms > 0 && link->silent_ms >= link->stall_ms)
                return err_set(err, ERR_TIMEOUT,
                    "%s gave neither output nor a sign of life for %d s", link->host->label,
                    (int)((link->stall_ms + 999) / 1000));
        if (now - link->asked_ms < ask_ms(link) || link->far->wants_room)
                return 0;
        /* Where there is no room, much is on its way: then we ask when it has gone. */
        size_t sent;
        if (far_send_some(link->far, "\n", 1, &sent, err) < 0)
                return -1;
        if (sent > 0)
                link->asked_ms = now;
        return 0;
}

/* A wait: only the time in here counts, as those who call us may be slow themselves. */
static int
wait_once(struct far_link *link, int64_t wait_ms, struct far_event *out, struct err *err)
{
        int64_t begun = time_mono_ms();

        if (far_next(link->far, (int)wait_ms, out, err) < 0)
                return no_shell(link->host, err);
        int64_t waited = time_mono_ms() - begun;
        link->silent_ms = out->kind == FAR_NOTHING ? link->silent_ms + waited : 0;
        link->quiet_ms = out->kind == FAR_OUT ? 0 : link->quiet_ms + waited;
        return 0;
}

int
far_link_next(struct far_link *link, int wait_ms, struct far_event *out, struct err *err)
{
        int64_t until = wait_ms >= 0 ? time_mono_ms() + wait_ms : INT64_MAX;

        for (;;) {
                int64_t left = until - time_mono_ms();
                int64_t step = ask_ms(link);
                if (left < step)
                        step = left > 0 ? left : 0;
                if (keep_alive(link, err) < 0 || wait_once(link, step, out, err) < 0)
                        return -1;
                if (out->kind == FAR_ENDED) {
                        link->ended = true;
                        link->status = out->status;
                        return 0;
                }
                if (out->kind == FAR_OUT)
                        return 0;
                if (out->kind == FAR_ERR) {
                        if (buf_add(&link->raw, out->data, out->len, err) < 0)
                                return -1;
                        *out = (struct far_event){ .kind = FAR_ERR };
                        return divide(link, err);
                }
                if (link->far->wants_room || time_mono_ms() >= until)
                        return 0;
        }
}

const char *
far_link_said(const struct far_link *link, char out[FAR_SAID_SIZE])
{
        size_t used = 0;

        for (size_t pos = 0; pos < link->words.len && used < FAR_SAID_SIZE - 4; pos++) {
                unsigned char at = (unsigned char)link->words.data[pos];
                bool is_break = at < ' ' || at == 127;
                if (is_break && (used == 0 || out[used - 1] == ' '))
                        continue;
                if (at == '\n') {
                        out[used++] = ';';
                        at = ' ';
                }
                out[used++] = is_break ? ' ' : (char)at;
        }
        while (used > 0 && (out[used - 1] == ' ' || out[used - 1] == ';'))
                used--;
        out[used] = '\0';
        secret_redact(out, used);
        return out;
}

int
far_link_failed(const struct far_link *link, const char *tool, int status, struct err *err)
{
        static const struct {
                const char *words;
                enum err_code code;
        } known[] = {
                { "No space left", ERR_FULL },
                { "quota exceeded", ERR_FULL },
                { "File too large", ERR_FULL },
                { "Wrote only ", ERR_FULL }, /* GNU tar, of the write that met the end */
                { "File exists", ERR_EXISTS },
                { "Permission denied", ERR_PERMISSION },
                { "Operation not permitted", ERR_PERMISSION },
                { "Read-only file system", ERR_PERMISSION },
                { "No such file or directory", ERR_NOT_FOUND },
        };
        char said[FAR_SAID_SIZE];
        enum err_code code = ERR_IO;

        far_link_said(link, said);
        for (size_t idx = 0; idx < sizeof(known) / sizeof(*known); idx++) {
                if (strcasestr(said, known[idx].words) == NULL)
                        continue;
                code = known[idx].code;
                break;
        }
        if (said[0] == '\0')
                return err_set(err, code, "%s ended with status %d there", tool, status);
        if (status <= 0)
                return err_set(err, code, "%s", said);
        return err_set(err, code, "%s ended with status %d there: %s", tool, status, said);
}

int
far_link_refused(const char *why, const char *path, struct err *err)
{
        if (strcmp(why, "gone") == 0)
                return err_set(err, ERR_NOT_FOUND, "\"%s\": No such file or directory", path);
        if (strcmp(why, "denied") == 0)
                return err_set(err, ERR_PERMISSION, "\"%s\": Permission denied", path);
        if (strcmp(why, "directory") == 0)
                return err_set(err, ERR_INVALID, "\"%s\" is a directory", path);
        if (strcmp(why, "nodir") == 0)
                return err_set(err, ERR_NOT_FOUND, "\"%s\" is not a directory", path);
        return err_set(err, ERR_INVALID, "\"%s\" is not a regular file", path);
}

int
far_link_early_end(const struct far_link *link, struct err *err)
{
        char said[FAR_SAID_SIZE];

        far_link_said(link, said);
        return err_set(err, ERR_TRUNCATED, "%s ended it before it was complete (status %d)%s%s",
            link->host->label, link->status, said[0] != '\0' ? ": " : "", said);
}
