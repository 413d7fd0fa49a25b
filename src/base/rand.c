#include "moonkeep/rand.h"

#include <errno.h>
#include <sys/random.h>

int
rand_bytes(void *out, size_t len, struct err *err)
{
        unsigned char *at = out;

        while (len > 0) {
                ssize_t got = getrandom(at, len, 0);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return err_sys(err, "cannot get random bytes");
                at += got;
                len -= (size_t)got;
        }
        return 0;
}

int
rand_id(char *out, size_t len, struct err *err)
{
        /* 32 characters: five bits of a byte choose one without bias. */
        static const char alphabet[] = "abcdefghijkmnpqrstuvwxyz23456789";

        if (rand_bytes(out, len, err) < 0)
                return -1;
        for (size_t idx = 0; idx < len; idx++)
                out[idx] = alphabet[(unsigned char)out[idx] & 31];
        out[len] = '\0';
        return 0;
}
