#include "harness/test.h"
#include "moonkeep/encode.h"
#include "moonkeep/md5.h"

/* RFC 1321, appendix A.5. */
TEST(has_the_known_answers)
{
        static const char *const known[][2] = {
                { "", "d41d8cd98f00b204e9800998ecf8427e" },
                { "abc", "900150983cd24fb0d6963f7d28e17f72" },
                { "message digest", "f96b697d7cb7938d525a2f31aaf161d0" },
                { "abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b" },
        };
        unsigned char digest[MD5_SIZE];
        char text[2 * MD5_SIZE + 1];
        struct err err;

        for (size_t idx = 0; idx < sizeof(known) / sizeof(known[0]); idx++) {
                CHECK_OK(md5_bytes(known[idx][0], strlen(known[idx][0]), digest, &err), err);
                hex_encode(digest, sizeof(digest), text);
                CHECK_STR(text, known[idx][1]);
        }
        CHECK_OK(md5_bytes(NULL, 0, digest, &err), err);
}
