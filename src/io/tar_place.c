#include "tar_place.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "moonkeep/path.h"

void
tar_place_init(struct tar_place *place, int root_fd)
{
        place->root_fd = root_fd;
        place->dir_fd = -1;
        place->dir_len = 0;
        place->made = NULL;
        place->arg = NULL;
}

void
tar_place_close(struct tar_place *place)
{
        if (place->dir_fd >= 0)
                close(place->dir_fd);
        place->dir_fd = -1;
}

int
tar_place_clean(const char *name, size_t len, char *out, size_t *out_len, struct err *err)
{
        size_t used = 0;

        if (len > TAR_NAME_MAX)
                return err_set(err, ERR_CORRUPT, "its name is too long");
        if (!path_is_inside(name, len))
                return err_set(err, ERR_CORRUPT, "its name leads out of the directory");
        for (size_t start = 0; start < len;) {
                const char *slash = memchr(name + start, '/', len - start);
                size_t part = (slash != NULL ? (size_t)(slash - name) : len) - start;
                if (part > 0 && (part != 1 || name[start] != '.')) {
                        if (used > 0)
                                out[used++] = '/';
                        memcpy(out + used, name + start, part);
                        used += part;
                }
                start += part + 1;
        }
        out[used] = '\0';
        *out_len = used;
        return 0;
}

static int
fail_step(int dir_fd, const char *name, struct err *err)
{
        struct stat st;

        if (errno != ENOTDIR && errno != ELOOP)
                return err_sys(err, "cannot open the directory \"%s\" on the way to it", name);
        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
                return err_set(
                    err, ERR_CORRUPT, "its name passes through the symbolic link \"%s\"", name);
        return err_set(err, ERR_CORRUPT, "its name passes through the file \"%s\"", name);
}

/* One directory deeper. */
static int
step(struct tar_place *place, int dir_fd, const char *name, bool make, struct err *err)
{
        const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        int fd = openat(dir_fd, name, flags);

        if (fd < 0 && errno == ENOENT && make) {
                if (mkdirat(dir_fd, name, 0755) < 0)
                        return err_sys(err, "cannot make the directory \"%s\"", name);
                if (place->made != NULL && place->made(place->arg, dir_fd, name, err) < 0)
                        return -1;
                fd = openat(dir_fd, name, flags);
        }
        return fd >= 0 ? fd : fail_step(dir_fd, name, err);
}

int
tar_place_open(
    struct tar_place *place, const char *name, bool make, const char **last, struct err *err)
{
        const char *slash = strrchr(name, '/');
        size_t dir_len = slash != NULL ? (size_t)(slash - name) : 0;

        *last = slash != NULL ? slash + 1 : name;
        if (dir_len == 0)
                return place->root_fd;
        /* Mostly it is where the last one was.  The descriptor cannot lead elsewhere. */
        if (place->dir_fd >= 0 && place->dir_len == dir_len &&
            memcmp(place->dir, name, dir_len) == 0)
                return place->dir_fd;

        tar_place_close(place);
        memcpy(place->dir, name, dir_len);
        place->dir[dir_len] = '\0';
        place->dir_len = dir_len;
        int fd = -1;
        for (char *part = place->dir; part < place->dir + dir_len;) {
                size_t len = strcspn(part, "/");
                part[len] = '\0';
                int inner = step(place, fd >= 0 ? fd : place->root_fd, part, make, err);
                if (part + len < place->dir + dir_len)
                        part[len] = '/';
                if (fd >= 0)
                        close(fd);
                if (inner < 0)
                        return -1;
                fd = inner;
                part += len + 1;
        }
        place->dir_fd = fd;
        return fd;
}

bool
tar_place_link_stays_inside(const char *name, const char *target)
{
        size_t depth = 0;
        bool in_front = true;

        if (target[0] == '/' || target[0] == '\0')
                return false;
        for (const char *at = name; (at = strchr(at, '/')) != NULL; at++)
                depth++;
        for (const char *part = target; *part != '\0';) {
                size_t len = strcspn(part, "/");
                if (len == 2 && part[0] == '.' && part[1] == '.') {
                        if (!in_front || depth == 0)
                                return false;
                        depth--;
                } else if (len > 0 && (len != 1 || part[0] != '.')) {
                        in_front = false;
                }
                part += len;
                while (*part == '/')
                        part++;
        }
        return true;
}
