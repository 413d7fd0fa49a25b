#include "moonkeep/path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "moonkeep/mem.h"

char *
path_join(const char *dir, const char *name, struct err *err)
{
        size_t dir_len = strlen(dir);
        size_t name_len = strlen(name);

        while (dir_len > 0 && dir[dir_len - 1] == '/')
                dir_len--;
        char *path = mem_alloc(dir_len + 1 + name_len + 1, err);
        if (path == NULL)
                return NULL;
        memcpy(path, dir, dir_len);
        path[dir_len] = '/';
        memcpy(path + dir_len + 1, name, name_len + 1);
        return path;
}

char *
path_parent(const char *path, struct err *err)
{
        size_t len = strlen(path);

        while (len > 1 && path[len - 1] == '/')
                len--;
        while (len > 0 && path[len - 1] != '/')
                len--;
        if (len == 0)
                return mem_strdup(".", err);
        while (len > 1 && path[len - 1] == '/')
                len--;
        return mem_strndup(path, len, err);
}

bool
path_is_inside(const char *name, size_t len)
{
        if (len == 0 || name[0] == '/' || memchr(name, '\0', len) != NULL)
                return false;
        for (size_t start = 0; start < len;) {
                const char *slash = memchr(name + start, '/', len - start);
                size_t end = slash != NULL ? (size_t)(slash - name) : len;
                if (end - start == 2 && name[start] == '.' && name[start + 1] == '.')
                        return false;
                start = end + 1;
        }
        return true;
}

int
path_sync_dir(const char *path, struct err *err)
{
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return err_sys(err, "cannot open the directory \"%s\"", path);
        /* EINVAL: a file system that cannot sync directories, and so has nothing to lose there. */
        if (fsync(fd) < 0 && errno != EINVAL) {
                err_sys(err, "cannot sync the directory \"%s\"", path);
                close(fd);
                return -1;
        }
        close(fd);
        return 0;
}

int
path_sync_parent(const char *path, struct err *err)
{
        char *parent = path_parent(path, err);

        if (parent == NULL)
                return -1;
        int rc = path_sync_dir(parent, err);
        mem_free(parent);
        return rc;
}

/* One directory that may be there already, as itself or through a link. */
static int
make_dir(const char *path, mode_t mode, struct err *err)
{
        struct stat st;

        if (mkdir(path, mode) == 0)
                return path_sync_parent(path, err);
        int reason = errno;
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
                return 0;
        errno = reason == EEXIST ? ENOTDIR : reason;
        return err_sys(err, "cannot create the directory \"%s\"", path);
}

int
path_make_dirs(const char *path, mode_t mode, struct err *err)
{
        char *part = mem_strdup(path, err);
        int rc = -1;

        if (part == NULL)
                return -1;
        if (*part == '\0') {
                err_set(err, ERR_INVALID, "cannot create a directory with an empty name");
                goto done;
        }
        for (char *at = part + 1; *at != '\0'; at++) {
                if (*at != '/' || at[-1] == '/')
                        continue;
                *at = '\0';
                if (make_dir(part, mode, err) < 0)
                        goto done;
                *at = '/';
        }
        rc = make_dir(part, mode, err);
done:
        mem_free(part);
        return rc;
}
