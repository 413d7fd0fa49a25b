#include "moonkeep/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

__attribute__((format(printf, 4, 0))) static void
set(struct err *err, enum err_code code, int sys, const char *fmt, va_list args)
{
        err_init(err);
        err->code = code;
        err->sys = sys;
        vsnprintf(err->msg, sizeof(err->msg), fmt, args);
}

int
err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
        va_list args;

        if (err == NULL)
                return -1;
        va_start(args, fmt);
        set(err, code, 0, fmt, args);
        va_end(args);
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
        va_list args;

        if (err == NULL)
                return -1;
        va_start(args, fmt);
        set(err, code_of_errno(sys), sys, fmt, args);
        va_end(args);

        size_t len = strlen(err->msg);
        char text[128];
        snprintf(
            err->msg + len, sizeof(err->msg) - len, ": %s", strerror_r(sys, text, sizeof(text)));
        return -1;
}

int
err_prefix(struct err *err, const char *fmt, ...)
{
        va_list args;
        char msg[sizeof(err->msg)];

        if (err == NULL)
                return -1;
        memcpy(msg, err->msg, sizeof(msg));
        va_start(args, fmt);
        vsnprintf(err->msg, sizeof(err->msg), fmt, args);
        va_end(args);

        size_t len = strlen(err->msg);
        snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", msg);
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
