#include "moonkeep/dir_list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "moonkeep/mem.h"

void
dir_list_free(struct dir_list *list)
{
        mem_free(list->names);
        buf_free(&list->text);
        *list = (struct dir_list){ 0 };
}

static int
compare_names(const void *one, const void *other)
{
        return strcmp(*(const char *const *)one, *(const char *const *)other);
}

/* Of a directory that is removed the names go first: a short list would look whole. */
static int
check_there(DIR *dir, struct err *err)
{
        struct stat st;

        if (fstat(dirfd(dir), &st) < 0)
                return err_sys(err, "cannot read its names");
        if (st.st_nlink > 0)
                return 0;
        errno = ENOENT;
        return err_sys(err, "cannot read its names");
}

static int
gather(DIR *dir, struct dir_list *list, struct err *err)
{
        for (;;) {
                errno = 0;
                const struct dirent *entry = readdir(dir);
                if (entry == NULL)
                        return errno != 0 ? err_sys(err, "cannot read its names")
                                          : check_there(dir, err);
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                if (buf_add(&list->text, entry->d_name, strlen(entry->d_name) + 1, err) < 0)
                        return err_prefix(err, "cannot keep its names");
                list->count++;
        }
}

/* Only when all are there: the text moves while it grows. */
static int
point_to_names(struct dir_list *list, struct err *err)
{
        const char *name = list->text.data;

        list->names = mem_alloc(list->count * sizeof(*list->names), err);
        if (list->names == NULL)
                return -1;
        for (size_t idx = 0; idx < list->count; idx++) {
                list->names[idx] = name;
                name += strlen(name) + 1;
        }
        if (list->count > 1)
                qsort(list->names, list->count, sizeof(*list->names), compare_names);
        return 0;
}

int
dir_list_read(int fd, struct dir_list *out, struct err *err)
{
        struct dir_list list = { 0 };

        buf_init(&list.text, DIR_LIST_MAX);
        /* A description of its own, which reading moves. */
        int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = own >= 0 ? fdopendir(own) : NULL;
        if (dir == NULL) {
                err_sys(err, "cannot read its names");
                if (own >= 0)
                        close(own);
                return -1;
        }
        int rc = gather(dir, &list, err);
        closedir(dir);
        if (rc < 0 || point_to_names(&list, err) < 0) {
                dir_list_free(&list);
                return -1;
        }
        *out = list;
        return 0;
}
