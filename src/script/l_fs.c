/*
 * _fs: files and directories of this machine.  Short operations are done at
 * once, long ones as jobs.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "l_fs.h"
#include "lx.h"
#include "moonkeep/file.h"
#include "moonkeep/path.h"
#include "task.h"

/* Most names of one directory that list() returns. */
#define NAMES_MAX 1000000

int
lx_fs_raise(lua_State *L, const char *what, const char *path)
{
        struct err err;

        err_init(&err);
        err_sys(&err, "cannot %s \"%s\"", what, path);
        lx_raise(L, &err);
}

static const char *
type_name(mode_t mode)
{
        if (S_ISREG(mode))
                return "file";
        if (S_ISDIR(mode))
                return "dir";
        if (S_ISLNK(mode))
                return "symlink";
        return "other";
}

static void
set_integer(lua_State *L, const char *name, lua_Integer value)
{
        lua_pushinteger(L, value);
        lua_setfield(L, -2, name);
}

/* stat(path, follow) -> {type, size, mode, uid, gid, mtime, dev, ino, links}, nil when missing */
static int
stat_path(lua_State *L)
{
        const char *path = lx_check_path(L, 1);
        bool follow = lua_toboolean(L, 2);
        struct stat st;

        if (fstatat(AT_FDCWD, path, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0) {
                if (errno == ENOENT || errno == ENOTDIR)
                        return 0;
                lx_fs_raise(L, "look at", path);
        }
        lua_createtable(L, 0, 9);
        lua_pushstring(L, type_name(st.st_mode));
        lua_setfield(L, -2, "type");
        set_integer(L, "size", st.st_size);
        set_integer(L, "mode", st.st_mode & 07777);
        set_integer(L, "uid", st.st_uid);
        set_integer(L, "gid", st.st_gid);
        set_integer(L, "mtime", st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000);
        set_integer(L, "dev", (lua_Integer)st.st_dev);
        set_integer(L, "ino", (lua_Integer)st.st_ino);
        set_integer(L, "links", (lua_Integer)st.st_nlink);
        return 1;
}

struct dir {
        DIR *dir;
};

static void
dir_close(void *object)
{
        struct dir *dir = object;

        if (dir->dir != NULL)
                closedir(dir->dir);
        dir->dir = NULL;
}

static const struct lx_class dir_class = { "moonkeep.fs.dir", dir_close, NULL, false };

/* list(path) -> names, unsorted, without "." and ".." */
static int
list(lua_State *L)
{
        const char *path = lx_check_path(L, 1);
        struct dir *dir = lx_new(L, &dir_class, sizeof(*dir));
        lua_Integer count = 0;

        dir->dir = opendir(path);
        if (dir->dir == NULL)
                lx_fs_raise(L, "list", path);
        lua_newtable(L);
        for (;;) {
                errno = 0;
                const struct dirent *entry = readdir(dir->dir);
                if (entry == NULL && errno != 0)
                        lx_fs_raise(L, "list", path);
                if (entry == NULL)
                        break;
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                if (++count > NAMES_MAX)
                        lx_fail(L, ERR_TOO_BIG, "\"%s\" holds more than %d names", path, NAMES_MAX);
                lua_pushstring(L, entry->d_name);
                lua_rawseti(L, -2, count);
        }
        dir_close(dir);
        return 1;
}

/* make_dirs(path, mode): with missing parents; an existing directory is fine */
static int
make_dirs(lua_State *L)
{
        const char *path = lx_check_path(L, 1);
        struct err err;

        err_init(&err);
        if (path_make_dirs(path, (mode_t)luaL_optinteger(L, 2, 0700), &err) != 0)
                lx_raise(L, &err);
        return 0;
}

/* rename(from, to): the target must not exist; both parents are synced */
static int
rename_path(lua_State *L)
{
        const char *from = lx_check_path(L, 1);
        const char *to = lx_check_path(L, 2);
        struct err err;

        err_init(&err);
        if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) != 0) {
                /* File systems that know no such flag: look first. */
                if (errno != EINVAL)
                        goto fail;
                if (access(to, F_OK) == 0) {
                        errno = EEXIST;
                        goto fail;
                }
                if (rename(from, to) != 0)
                        goto fail;
        }
        if (path_sync_parent(to, &err) != 0 || path_sync_parent(from, &err) != 0)
                lx_raise(L, &err);
        return 0;

fail:
        err_sys(&err, "cannot move \"%s\" to \"%s\"", from, to);
        lx_raise(L, &err);
}

/* chown(path, uid, gid), without following a link */
static int
chown_path(lua_State *L)
{
        const char *path = lx_check_path(L, 1);
        uid_t uid = (uid_t)luaL_checkinteger(L, 2);
        gid_t gid = (gid_t)luaL_checkinteger(L, 3);

        if (lchown(path, uid, gid) != 0)
                lx_fs_raise(L, "change the owner of", path);
        return 0;
}

/* chmod(path, mode) */
static int
chmod_path(lua_State *L)
{
        const char *path = lx_check_path(L, 1);

        if (chmod(path, (mode_t)luaL_checkinteger(L, 2)) != 0)
                lx_fs_raise(L, "change the mode of", path);
        return 0;
}

/* remove(path): a file, a link or an empty directory; a missing one is fine */
static int
remove_path(lua_State *L)
{
        const char *path = lx_check_path(L, 1);
        struct err err;

        err_init(&err);
        if (unlink(path) != 0 && errno != ENOENT) {
                if ((errno != EISDIR && errno != EPERM) || (rmdir(path) != 0 && errno != ENOENT))
                        lx_fs_raise(L, "remove", path);
        }
        if (path_sync_parent(path, &err) != 0 && err.code != ERR_NOT_FOUND)
                lx_raise(L, &err);
        return 0;
}

struct tree_job {
        struct lx_job lj;
        const char *path;
};

static int
remove_tree_run(struct job *job, struct err *err)
{
        const struct tree_job *tj = (struct tree_job *)job;

        if (path_remove_tree(tj->path, job->cancel, err) != 0)
                return -1;
        if (path_sync_parent(tj->path, err) != 0 && err->code != ERR_NOT_FOUND)
                return -1;
        return 0;
}

/* remove_tree(path): all below it, too; waits */
static int
remove_tree(lua_State *L)
{
        const char *path = lx_check_path(L, 1);
        struct tree_job *tj = lua_newuserdatauv(L, sizeof(*tj), 0);

        memset(tj, 0, sizeof(*tj));
        tj->path = path;
        tj->lj.job.run = remove_tree_run;
        return lx_job_wait(L, -1, &tj->lj);
}

/* sync_dir(path) */
static int
sync_dir(lua_State *L)
{
        struct err err;

        err_init(&err);
        if (path_sync_dir(lx_check_path(L, 1), &err) != 0)
                lx_raise(L, &err);
        return 0;
}

/* space(path) -> free bytes for us, total bytes */
static int
space(lua_State *L)
{
        const char *path = lx_check_path(L, 1);
        struct statvfs fs;

        if (statvfs(path, &fs) != 0)
                lx_fs_raise(L, "ask for the free space at", path);
        lua_pushinteger(L, (lua_Integer)(fs.f_bavail * fs.f_frsize));
        lua_pushinteger(L, (lua_Integer)(fs.f_blocks * fs.f_frsize));
        return 2;
}

/* real(path) -> the absolute path without links; nil when missing */
static int
real(lua_State *L)
{
        const char *path = lx_check_path(L, 1);
        char resolved[PATH_MAX];

        if (realpath(path, resolved) == NULL) {
                if (errno == ENOENT)
                        return 0;
                lx_fs_raise(L, "resolve", path);
        }
        lua_pushstring(L, resolved);
        return 1;
}

struct bytes {
        struct buf buf;
};

static void
bytes_close(void *object)
{
        buf_free(&((struct bytes *)object)->buf);
}

static const struct lx_class bytes_class = { "moonkeep.fs.bytes", bytes_close, NULL, false };

/* read(path, max) -> the whole file; nil when missing */
static int
read_file(lua_State *L)
{
        const char *path = lx_check_path(L, 1);
        lua_Integer max = luaL_checkinteger(L, 2);
        struct bytes *bytes = lx_new(L, &bytes_class, sizeof(*bytes));
        struct err err;

        luaL_argcheck(L, max >= 0, 2, "must not be negative");
        buf_init(&bytes->buf, (size_t)max);
        err_init(&err);
        if (file_read(path, &bytes->buf, &err) != 0) {
                if (err.code == ERR_NOT_FOUND)
                        return 0;
                lx_raise(L, &err);
        }
        lua_pushlstring(L, bytes->buf.data != NULL ? bytes->buf.data : "", bytes->buf.len);
        bytes_close(bytes);
        return 1;
}

static int
write_with(lua_State *L, struct file_sink_opts opts)
{
        const char *path = lx_check_path(L, 1);
        size_t len;
        const char *text = luaL_checklstring(L, 2, &len);
        struct err err;

        opts.mode = (mode_t)luaL_optinteger(L, 3, 0600);
        err_init(&err);
        if (file_write(path, text, len, &opts, &err) != 0)
                lx_raise(L, &err);
        return 0;
}

/* write(path, text, mode, exclusive): atomically, durably */
static int
write_file(lua_State *L)
{
        return write_with(L, (struct file_sink_opts){ .exclusive = lua_toboolean(L, 4) });
}

/* write_unsynced(path, text, mode): atomically; a power cut leaves it, an empty or the old one */
static int
write_unsynced(lua_State *L)
{
        return write_with(L, (struct file_sink_opts){ .unsynced = true });
}

/* may_write(path) -> boolean: is it there, and could this process write to it? */
static int
may_write(lua_State *L)
{
        lua_pushboolean(L, faccessat(AT_FDCWD, lx_check_path(L, 1), W_OK, AT_EACCESS) == 0);
        return 1;
}

int
lx_open_fs(lua_State *L)
{
        static const luaL_Reg functions[] = {
                { "stat", stat_path },
                { "list", list },
                { "make_dirs", make_dirs },
                { "rename", rename_path },
                { "chown", chown_path },
                { "chmod", chmod_path },
                { "remove", remove_path },
                { "remove_tree", remove_tree },
                { "sync_dir", sync_dir },
                { "space", space },
                { "real", real },
                { "read", read_file },
                { "write", write_file },
                { "write_unsynced", write_unsynced },
                { "append", lx_fs_append },
                { "may_write", may_write },
                { NULL, NULL },
        };

        lx_module(L, functions);
        return 1;
}
