#include "moonkeep/md5.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

int
md5_bytes(const void *data, size_t len, unsigned char out[MD5_SIZE], struct err *err)
{
        unsigned char digest[MD5_SIZE];

        if (EVP_Digest(data, len, digest, NULL, EVP_md5(), NULL) != 1) {
                const char *reason = ERR_reason_error_string(ERR_peek_last_error());
                err_set(err, ERR_UNSUPPORTED, "cannot compute an MD5: %s",
                    reason != NULL ? reason : "OpenSSL gives no reason");
                ERR_clear_error();
                return -1;
        }
        memcpy(out, digest, MD5_SIZE);
        return 0;
}
