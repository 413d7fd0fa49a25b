/*
 * The real gpg, with a home of its own and no agent left behind.
 */
#ifndef TESTS_HARNESS_GPG_TEST_H
#define TESTS_HARNESS_GPG_TEST_H

#include <sys/stat.h>

#include "harness/codec_test.h"
#include "harness/pgp_test.h"

/* gpg_test: data through `gpg ARGS` with PGP_TEST_PASS, appended to out; its exit status. */
static inline int
gpg_test(const char *args, const void *data, size_t len, struct buf *out)
{
        static const char *home;
        char command[1500];

        if (home == NULL) {
                home = test_path("gpg");
                CHECK_INT(mkdir(home, 0700), 0);
        }
        snprintf(command, sizeof(command),
            "{ echo " PGP_TEST_PASS " >%s/pass; "
            "gpg --homedir %s --batch --no-symkey-cache --pinentry-mode loopback "
            "--passphrase-fd 3 %s 3<%s/pass; got=$?; "
            "gpgconf --homedir %s --kill all; exit $got; }",
            home, home, args, home, home);
        return codec_test_tool(command, data, len, out);
}

/* gpg_test_needed: skip the test where there is no gpg. */
static inline void
gpg_test_needed(void)
{
        const char *sanitizer = getenv("SANITIZER");

        if (sanitizer != NULL && strcmp(sanitizer, "thread") == 0)
                SKIP("one thread, and a process for each message: slow under ThreadSanitizer");
        if (system("gpg --version >/dev/null 2>&1") != 0)
                SKIP("gpg is not installed");
}

#endif
