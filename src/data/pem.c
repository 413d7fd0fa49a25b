#include "moonkeep/pem.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "moonkeep/mem.h"
#include "openssl_err.h"

/* How the first line of a private key of any kind ends. */
#define KEY_MARK "PRIVATE KEY-----"

/* The reason that OpenSSL has for the last failure, taken off its queue. */
static const char *
take_reason(void)
{
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());

        ERR_clear_error();
        return reason != NULL ? reason : "OpenSSL gives no reason";
}

/* In place of OpenSSL's own, which would ask at the terminal. */
static int
no_passphrase(char *text, int size, int writing, void *arg)
{
        (void)text;
        (void)size;
        (void)writing;
        *(bool *)arg = true;
        return -1;
}

static int
read_each(BIO *in, BIO *out, struct pem_certs *certs, struct err *err)
{
        bool encrypted = false;
        X509 *cert;

        while ((cert = PEM_read_bio_X509(in, NULL, no_passphrase, &encrypted)) != NULL) {
                struct tm end;
                bool ok = PEM_write_bio_X509(out, cert) == 1;
                if (certs->count++ == 0 && ASN1_TIME_to_tm(X509_get0_notAfter(cert), &end) == 1)
                        certs->ends_ms = (int64_t)timegm(&end) * 1000;
                X509_free(cert);
                if (!ok)
                        return openssl_err(err, "cannot keep a certificate");
        }
        /* "No start line" is how the end of the text is told. */
        unsigned long code = ERR_peek_last_error();
        if (ERR_GET_LIB(code) != ERR_LIB_PEM || ERR_GET_REASON(code) != PEM_R_NO_START_LINE)
                return err_set(
                    err, ERR_INVALID, "a certificate in it is damaged: %s", take_reason());
        ERR_clear_error();
        if (certs->count == 0)
                return err_set(err, ERR_INVALID, "there is no certificate in the PEM form in it");
        return 0;
}

int
pem_certs_read(const char *pem, size_t len, struct pem_certs *out, struct err *err)
{
        struct pem_certs certs = { 0 };
        BIO *in = NULL, *text = NULL;
        char *data;
        int rc = -1;

        if (len > PEM_MAX)
                return err_set(err, ERR_TOO_BIG, "certificates of more than %zu bytes", PEM_MAX);
        ERR_clear_error();
        in = BIO_new_mem_buf(pem, (int)len);
        text = BIO_new(BIO_s_mem());
        if (in == NULL || text == NULL) {
                openssl_err(err, "cannot read certificates");
                goto done;
        }
        if (read_each(in, text, &certs, err) < 0)
                goto done;
        certs.text_len = (size_t)BIO_get_mem_data(text, &data);
        certs.text = mem_strndup(data, certs.text_len, err);
        if (certs.text == NULL)
                goto done;
        *out = certs;
        rc = 0;
done:
        BIO_free(text);
        BIO_free(in);
        return rc;
}

void
pem_certs_clear(struct pem_certs *certs)
{
        mem_free(certs->text);
        memset(certs, 0, sizeof(*certs));
}

static EVP_PKEY *
read_key(const struct secret *secret, struct err *err)
{
        bool encrypted = false;
        size_t len;
        const char *pem = secret_bytes(secret, &len);
        BIO *in = BIO_new_mem_buf(pem, (int)len);

        if (in == NULL) {
                openssl_err(err, "cannot read a key");
                return NULL;
        }
        EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, no_passphrase, &encrypted);
        BIO_free(in);
        if (key != NULL)
                return key;
        if (encrypted) {
                ERR_clear_error();
                err_set(err, ERR_UNSUPPORTED, "the key is encrypted with a passphrase");
                err_hint(err, "`openssl pkey -in KEY -out PLAIN` writes it without");
        } else if (memmem(pem, len, KEY_MARK, strlen(KEY_MARK)) == NULL) {
                ERR_clear_error();
                err_set(err, ERR_INVALID, "there is no private key in the PEM form in it");
        } else {
                err_set(err, ERR_INVALID, "the key in it is damaged: %s", take_reason());
        }
        return NULL;
}

int
pem_key_check(const struct pem_certs *certs, const struct secret *secret, struct err *err)
{
        int rc = -1;

        ERR_clear_error();
        EVP_PKEY *key = read_key(secret, err);
        if (key == NULL)
                return -1;
        BIO *in = BIO_new_mem_buf(certs->text, (int)certs->text_len);
        X509 *cert = in != NULL ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
        if (cert == NULL) {
                openssl_err(err, "cannot read a certificate");
        } else if (X509_check_private_key(cert, key) != 1) {
                ERR_clear_error();
                err_set(err, ERR_INVALID, "the certificate is for another key");
        } else {
                rc = 0;
        }
        X509_free(cert);
        BIO_free(in);
        EVP_PKEY_free(key);
        return rc;
}
