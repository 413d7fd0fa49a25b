#include <stdio.h>
#include <string.h>

#include "azure_sign.h"
#include "moonkeep/encode.h"
#include "moonkeep/hmac.h"
#include "moonkeep/time.h"

int
azure_sign_reading(const char *account, const char *container, const char *blob, int64_t expires_ms,
    const struct secret *key, struct buf *out, struct err *err)
{
        unsigned char digest[SHA256_SIZE];
        struct buf text, signature;
        char until[TIME_ISO_SIZE];
        size_t key_len;
        int rc = -1;

        buf_init(&text, AZURE_SIGNED_MAX);
        buf_init(&signature, 2 * SHA256_SIZE);
        const char *key_bytes = secret_bytes(key, &key_len);
        time_iso(expires_ms, until);
        snprintf(until + strlen("2026-11-21T02:00:00"), 2, "Z");
        /* Permissions, start, expiry, resource, policy, address, protocol, version, kind; 7 more.
         */
        if (buf_addf(&text, err, "r\n\n%s\n/blob/%s/%s/%s\n\n\n\n%s\nb\n\n\n\n\n\n\n", until,
                account, container, blob, AZURE_VERSION) == 0 &&
            hmac_sha256(key_bytes, key_len, text.data, text.len, digest, err) == 0 &&
            base64_encode(digest, sizeof(digest), &signature, err) == 0 &&
            buf_addf(out, err, "sv=%s&sr=b&sp=r&se=%s&sig=", AZURE_VERSION, until) == 0)
                rc = url_encode(signature.data, signature.len, 0, out, err);
        buf_free(&text);
        buf_free(&signature);
        return rc;
}
