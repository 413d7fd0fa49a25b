#include "moonkeep/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Two long paths and a sentence. */
#define TEXT_SIZE 10240

static const struct {
        const char *name;
        int status;
        const char *doc;
} codes[] = {
#define ERR_ROW(name, text, status, doc) { text, status, doc },
        ERR_CODES(ERR_ROW)
#undef ERR_ROW
};

void
err_init(struct err *err)
{
        memset(err, 0, sizeof(*err));
}

static bool
is_inside_character(char at)
{
        return ((unsigned char)at & 0xc0) == 0x80;
}

/*
 * A text that is too long loses its middle: its beginning says what was being
 * done, its end says why that failed.
 */
static void
set_message(struct err *err, const char *text)
{
        const size_t half = (sizeof(err->msg) - sizeof("...")) / 2;
        size_t len = strlen(text);
        size_t head = half;

        if (len < sizeof(err->msg)) {
                memcpy(err->msg, text, len + 1);
                return;
        }
        const char *tail = text + len - half;
        while (head > 0 && is_inside_character(text[head]))
                head--;
        while (is_inside_character(*tail))
                tail++;
        snprintf(err->msg, sizeof(err->msg), "%.*s...%s", (int)head, text, tail);
}

/* "FMT..." or "FMT...: WHY" */
__attribute__((format(printf, 3, 0))) static void
set_text(struct err *err, const char *why, const char *fmt, va_list args)
{
        char text[TEXT_SIZE];
        /* With room for a reason, which must not be lost. */
        size_t room = sizeof(text) - sizeof(err->msg) - 2;

        vsnprintf(text, room, fmt, args);
        if (why != NULL) {
                size_t len = strlen(text);
                snprintf(text + len, sizeof(text) - len, ": %s", why);
        }
        set_message(err, text);
}

/* What is said beside the message; that stays. */
static void
set_code(struct err *err, enum err_code code, int sys)
{
        err->code = code;
        err->sys = sys;
        err->http = 0;
        err->retryable = false;
        err->hint[0] = '\0';
}

int
err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
        va_list args;

        if (err == NULL)
                return -1;
        va_start(args, fmt);
        set_text(err, NULL, fmt, args);
        va_end(args);
        set_code(err, code, 0);
        return -1;
}

static enum err_code
code_of_errno(int sys)
{
        switch (sys) {
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
                return ERR_FULL;
        case EACCES:
        case EPERM:
        case EROFS:
                return ERR_PERMISSION;
        case ENOENT:
        case ENOTDIR:
                return ERR_NOT_FOUND;
        case EEXIST:
                return ERR_EXISTS;
        case ENOMEM:
                return ERR_NOMEM;
        default:
                return ERR_IO;
        }
}

int
err_sys(struct err *err, const char *fmt, ...)
{
        int sys = errno;
        char why[128];
        va_list args;

        if (err == NULL)
                return -1;
        va_start(args, fmt);
        set_text(err, strerror_r(sys, why, sizeof(why)), fmt, args);
        va_end(args);
        set_code(err, code_of_errno(sys), sys);
        return -1;
}

int
err_prefix(struct err *err, const char *fmt, ...)
{
        va_list args;
        char why[sizeof(err->msg)];

        if (err == NULL)
                return -1;
        memcpy(why, err->msg, sizeof(why));
        va_start(args, fmt);
        set_text(err, why, fmt, args);
        va_end(args);
        return -1;
}

int
err_hint(struct err *err, const char *fmt, ...)
{
        va_list args;

        if (err == NULL)
                return -1;
        va_start(args, fmt);
        vsnprintf(err->hint, sizeof(err->hint), fmt, args);
        va_end(args);
        return -1;
}

const char *
err_code_name(enum err_code code)
{
        return code < ERR_COUNT ? codes[code].name : "internal";
}

enum err_code
err_code_from_name(const char *name)
{
        for (size_t code = 0; code < ERR_COUNT; code++) {
                if (strcmp(codes[code].name, name) == 0)
                        return (enum err_code)code;
        }
        return ERR_INTERNAL;
}

int
err_exit_status(enum err_code code)
{
        return code < ERR_COUNT ? codes[code].status : 1;
}

const char *
err_code_doc(enum err_code code)
{
        return code < ERR_COUNT ? codes[code].doc : "";
}
