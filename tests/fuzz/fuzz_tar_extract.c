/*
 * Whatever the tar says, nothing appears or changes outside the directory that
 * it is extracted into, and no link that was made leads out of it.
 *
 * Input: blocks of instructions, made into a tar of the entries that attacks
 * are made of; so each input is a whole tar, and the interesting names meet.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "moonkeep/buf.h"
#include "moonkeep/mem_io.h"
#include "moonkeep/path.h"
#include "moonkeep/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static char base[64];
static char dest[80];
static char outside[80];

/* Components that names and targets are made of. */
static const char *const parts[] = { "..", ".", "a", "b", "c", "l", "", "outside", "victim", "/",
        "..a", "a..", "dest" };

static void
put_path(struct buf *out, const uint8_t **data, size_t *size)
{
        unsigned count = *size > 0 ? 1 + (*data)[0] % 5 : 1;

        for (unsigned part = 0; part <= count && *size > 0; part++, (*data)++, (*size)--) {
                if (part == 0)
                        continue;
                const char *text = parts[**data % (sizeof(parts) / sizeof(parts[0]))];
                if (part > 1)
                        buf_addstr(out, "/", NULL);
                buf_addstr(out, text, NULL);
        }
}

static void
put_entry(struct buf *tar, const uint8_t **data, size_t *size)
{
        static const char types[] = "0012255166";
        struct buf name, link;
        unsigned char block[512] = { 0 };
        unsigned sum = 0;

        buf_init(&name, 100);
        buf_init(&link, 100);
        char type = types[(*data)[0] % (sizeof(types) - 1)];
        (*data)++;
        (*size)--;
        put_path(&name, data, size);
        if (type == '1' || type == '2')
                put_path(&link, data, size);
        snprintf((char *)block, 100, "%s", name.data != NULL ? name.data : "x");
        snprintf((char *)block + 100, 8, "%07o", *size > 0 ? 07000 | **data : 0644);
        snprintf((char *)block + 108, 8, "%07o", 0);
        snprintf((char *)block + 116, 8, "%07o", 0);
        snprintf((char *)block + 124, 12, "%011o", type == '0' ? 4 : 0);
        snprintf((char *)block + 136, 12, "%011o", 1500000000);
        block[156] = (unsigned char)type;
        snprintf((char *)block + 157, 100, "%s", link.data != NULL ? link.data : "");
        memcpy(block + 257, "ustar\00000", 8);
        memset(block + 148, ' ', 8);
        for (int pos = 0; pos < 512; pos++)
                sum += block[pos];
        snprintf((char *)block + 148, 7, "%06o", sum);
        buf_add(tar, block, 512, NULL);
        if (type == '0') {
                memset(block, 0, sizeof(block));
                memcpy(block, "evil", 4);
                buf_add(tar, block, 512, NULL);
        }
        buf_free(&name);
        buf_free(&link);
}

/* No link below dir leads out of dest. */
static void
check_links(const char *dir)
{
        DIR *open_dir = opendir(dir);
        struct dirent *found;
        char path[PATH_MAX];
        char real[PATH_MAX];
        struct stat st;

        if (open_dir == NULL)
                return;
        while ((found = readdir(open_dir)) != NULL) {
                if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0)
                        continue;
                if (snprintf(path, sizeof(path), "%s/%s", dir, found->d_name) >= (int)sizeof(path))
                        abort();
                if (lstat(path, &st) < 0)
                        abort();
                if (S_ISDIR(st.st_mode))
                        check_links(path);
                else if (S_ISLNK(st.st_mode) && realpath(path, real) != NULL &&
                         strncmp(real, dest, strlen(dest)) != 0) {
                        fprintf(stderr, "%s leads to %s\n", path, real);
                        abort();
                }
        }
        closedir(open_dir);
}

static void
check_outside(void)
{
        DIR *dir = opendir(base);
        int count = 0;
        char text[16] = "";
        char victim[100];

        while (readdir(dir) != NULL)
                count++;
        closedir(dir);
        if (count != 4)
                abort(); /* . .. dest outside */
        dir = opendir(outside);
        count = 0;
        while (readdir(dir) != NULL)
                count++;
        closedir(dir);
        if (count != 3)
                abort(); /* . .. victim */
        snprintf(victim, sizeof(victim), "%s/victim", outside);
        int fd = open(victim, O_RDONLY);
        struct stat st;
        if (read(fd, text, sizeof(text)) != 4 || memcmp(text, "safe", 4) != 0 ||
            fstat(fd, &st) < 0 || st.st_nlink != 1 || (st.st_mode & 07777) != 0600)
                abort();
        close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const char zeros[1024];
        struct tar_extract_opts opts = { .owner = TAR_OWNER_OURS };
        struct buf tar;
        struct err err;

        /* Some begin with a link out that is there already. */
        if (size == 0 || mkdir(dest, 0755) < 0)
                return 0;
        if (data[0] % 4 == 0) {
                char link[100];
                snprintf(link, sizeof(link), "%s/l", dest);
                if (symlink("../outside", link) < 0)
                        abort();
        }
        bool was_link = data[0] % 4 == 0;
        data++;
        size--;
        buf_init(&tar, 1024 * 1024);
        while (size > 0)
                put_entry(&tar, &data, &size);
        buf_add(&tar, zeros, sizeof(zeros), NULL);
        (void)tar_extract(mem_source(tar.data, tar.len, &err), dest, &opts, NULL, &err);
        buf_free(&tar);
        check_outside();
        if (!was_link)
                check_links(dest);
        if (path_remove_tree(dest, NULL, &err) < 0)
                abort();
        return 0;
}

static void
clean_up(void)
{
        path_remove_tree(base, NULL, NULL);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
        char victim[100];

        (void)argc;
        (void)argv;
        /* In memory where possible: each extraction ends with a sync. */
        const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        snprintf(base, sizeof(base), "%s/moonkeep-fuzz-XXXXXX", parent);
        if (mkdtemp(base) == NULL)
                abort();
        atexit(clean_up);
        snprintf(dest, sizeof(dest), "%s/dest", base);
        snprintf(outside, sizeof(outside), "%s/outside", base);
        snprintf(victim, sizeof(victim), "%s/victim", outside);
        if (mkdir(outside, 0755) < 0)
                abort();
        int fd = open(victim, O_WRONLY | O_CREAT, 0600);
        if (fd < 0 || write(fd, "safe", 4) != 4)
                abort();
        close(fd);
        return 0;
}
