/*
 * A file that is only ever appended to, with a lock: a journal.  A part of _fs.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "l_fs.h"
#include "lx.h"
#include "moonkeep/path.h"

struct append {
        int fd; /* plus one, so that zero is closed */
        char path[PATH_MAX];
};

static void
append_close(void *object)
{
        struct append *append = object;

        if (append->fd != 0)
                close(append->fd - 1);
        append->fd = 0;
}

static const struct lx_class append_class;

static struct append *
check_append(lua_State *L)
{
        struct append *append = lx_check(L, 1, &append_class);

        if (append->fd == 0)
                lx_fail(L, ERR_RECIPE, "\"%s\" is closed", append->path);
        return append;
}

/* append:add(text): written and synced */
static int
append_add(lua_State *L)
{
        struct append *append = check_append(L);
        size_t len;
        const char *text = luaL_checklstring(L, 2, &len);

        while (len > 0) {
                ssize_t done = write(append->fd - 1, text, len);
                if (done < 0 && errno == EINTR)
                        continue;
                if (done < 0)
                        lx_fs_raise(L, "append to", append->path);
                text += done;
                len -= (size_t)done;
        }
        if (fdatasync(append->fd - 1) != 0)
                lx_fs_raise(L, "sync", append->path);
        return 0;
}

/* append:lock() -> true, or false when another process holds the lock */
static int
append_lock(lua_State *L)
{
        struct append *append = check_append(L);

        if (flock(append->fd - 1, LOCK_EX | LOCK_NB) != 0) {
                if (errno != EWOULDBLOCK)
                        lx_fs_raise(L, "lock", append->path);
                lua_pushboolean(L, false);
                return 1;
        }
        lua_pushboolean(L, true);
        return 1;
}

/* append:truncate(size): drop what lies behind it */
static int
append_truncate(lua_State *L)
{
        struct append *append = check_append(L);

        if (ftruncate(append->fd - 1, luaL_checkinteger(L, 2)) != 0 ||
            fdatasync(append->fd - 1) != 0)
                lx_fs_raise(L, "truncate", append->path);
        return 0;
}

static int
append_close_method(lua_State *L)
{
        append_close(lx_check(L, 1, &append_class));
        return 0;
}

static const luaL_Reg append_methods[] = {
        { "add", append_add },
        { "lock", append_lock },
        { "truncate", append_truncate },
        { "close", append_close_method },
        { NULL, NULL },
};
static const struct lx_class append_class = { "moonkeep.fs.append", append_close, append_methods,
        true };

/* append(path, create) -> handle; with create the file must be new; nil when it is missing */
int
lx_fs_append(lua_State *L)
{
        const char *path = lx_check_path(L, 1);
        bool create = lua_toboolean(L, 2);
        struct err err;

        if (strlen(path) >= PATH_MAX)
                lx_fail(L, ERR_INVALID, "path is too long");
        struct append *append = lx_new(L, &append_class, sizeof(*append));
        memcpy(append->path, path, strlen(path) + 1);
        int flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW;
        int fd = open(path, flags | (create ? O_CREAT | O_EXCL : 0), 0600);
        if (fd < 0) {
                if (!create && errno == ENOENT)
                        return 0;
                lx_fs_raise(L, create ? "create" : "open", path);
        }
        append->fd = fd + 1;
        err_init(&err);
        if (create && path_sync_parent(path, &err) != 0)
                lx_raise(L, &err);
        return 1;
}
