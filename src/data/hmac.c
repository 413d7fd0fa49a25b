#include "moonkeep/hmac.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

int
hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
    unsigned char out[SHA256_SIZE], struct err *err)
{
        unsigned char mac[SHA256_SIZE];

        if (key_len > HMAC_KEY_MAX)
                return err_set(
                    err, ERR_TOO_BIG, "the key of an HMAC has more than %zu bytes", HMAC_KEY_MAX);
        /* Without a key OpenSSL would take the one of the call before. */
        if (key_len == 0)
                key = "";
        if (HMAC(EVP_sha256(), key, (int)key_len, data, len, mac, NULL) == NULL) {
                const char *reason = ERR_reason_error_string(ERR_peek_last_error());
                err_set(err, ERR_INTERNAL, "cannot compute an HMAC: %s",
                    reason != NULL ? reason : "OpenSSL gives no reason");
                ERR_clear_error();
                return -1;
        }
        memcpy(out, mac, SHA256_SIZE);
        return 0;
}
