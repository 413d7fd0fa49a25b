/*
 * Certificates and keys, as files have them: made with openssl for this test,
 * and used nowhere else.
 */
#include "moonkeep/pem.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness/test.h"
#include "moonkeep/mem.h"
#include "moonkeep/time.h"

static const char cert[] = "-----BEGIN CERTIFICATE-----\n"
                           "MIIBhTCCASugAwIBAgIUA45SVWLPBDCdPuAyeEcOZtm84xkwCgYIKoZIzj0EAwIw\n"
                           "GDEWMBQGA1UEAwwNbW9vbmtlZXAtdGVzdDAeFw0yNjExMjExNTEwMTlaFw0zNjEx\n"
                           "MTgxNTEwMTlaMBgxFjAUBgNVBAMMDW1vb25rZWVwLXRlc3QwWTATBgcqhkjOPQIB\n"
                           "BggqhkjOPQMBBwNCAAQPvfFlQkurTD6okvIEM+ydQKbi6o/txRHbEQwxOP+9ppdg\n"
                           "29QkpWtvXtELri1G+Mn/T0OK8igMAAgIrJ2t8HQgo1MwUTAdBgNVHQ4EFgQUSk9D\n"
                           "arqMLIHnQ8tpZYfC4VzUGBgwHwYDVR0jBBgwFoAUSk9DarqMLIHnQ8tpZYfC4VzU\n"
                           "GBgwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEAvq3Fzu3JLopg\n"
                           "+YpacrnjEwODW7XGoNYdUcuQHSVLkr8CICSTAzR9RlRaryLESg6A0RNTZCz3UF+c\n"
                           "lZX4e/9qunjz\n"
                           "-----END CERTIFICATE-----\n";

static const char key[] = "-----BEGIN EC PRIVATE KEY-----\n"
                          "MHcCAQEEII1rMLiDp+j1n7PSItFgGUksYfwq+WRxcENBHgh8ZWNSoAoGCCqGSM49\n"
                          "AwEHoUQDQgAED73xZUJLq0w+qJLyBDPsnUCm4uqP7cUR2xEMMTj/vaaXYNvUJKVr\n"
                          "b17RC64tRvjJ/09DivIoDAAICKydrfB0IA==\n"
                          "-----END EC PRIVATE KEY-----\n";

static const char encrypted[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                                "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAh63lhhKLxogQICCAAw\n"
                                "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEFBdBelP3mAD/PyRYUjcZLkEgZBp\n"
                                "2Xpfn/1qj44ceYeZW44VCefx1XLZvWzNMhoWqalwj2cQdh5NAzRRIMtib8Gor8YE\n"
                                "M/PbkYWJ7axoQc1kd3Mi5KN4dYQGITiLY9bYNqYk8TNUsVtR1OJhSwosDT7b8bMh\n"
                                "BYaK9RoynWd8uPTWom4T7cjiLaoLGCO+jeWh+feZqmzV1rlQ0EANBQb6rONSEeA=\n"
                                "-----END ENCRYPTED PRIVATE KEY-----\n";

static const char encrypted_before[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: AES-128-CBC,749060D2CFEB1DA2AF0AED3B8E58DB94\n"
    "\n"
    "UUULLIby5QeDY6xzWqiiTW/ySp9NyeYeGh/cfy/SUrviHv+lM9jiFW4rsoJL08j3\n"
    "dEav0gcj2n97H6y6O+wJUR9QtEOdvr5MLyW3GWZrv+vF81coSzonwvDQFqvny6x6\n"
    "j8bkqRdrF2Crmo8N1/5dGwiNuM7/2aMiwld9zoc9jg8=\n"
    "-----END EC PRIVATE KEY-----\n";

static int
check_key(const char *text, struct err *err)
{
        struct pem_certs certs;
        struct secret *secret = secret_new(text, strlen(text), err);

        CHECK_OK(pem_certs_read(cert, strlen(cert), &certs, err), *err);
        int rc = pem_key_check(&certs, secret, err);
        pem_certs_clear(&certs);
        CHECK(certs.text == NULL);
        secret_unref(secret);
        return rc;
}

TEST(certificates_are_counted_and_their_end_is_told)
{
        struct pem_certs certs;
        int64_t end_ms;
        char text[8192];
        struct err err;

        err_init(&err);
        CHECK_OK(time_parse("2036-11-18T15:10:19Z", &end_ms, &err), err);
        CHECK_OK(pem_certs_read(cert, strlen(cert), &certs, &err), err);
        CHECK_INT(certs.count, 1);
        CHECK_INT(certs.ends_ms, end_ms);
        CHECK_STR(certs.text, cert);
        pem_certs_clear(&certs);

        /* Other things in the same file are left out: keys above all. */
        snprintf(text, sizeof(text), "A file.\n%s%s# and one more\n%s", key, cert, cert);
        CHECK_OK(pem_certs_read(text, strlen(text), &certs, &err), err);
        CHECK_INT(certs.count, 2);
        CHECK_INT(certs.text_len, 2 * strlen(cert));
        CHECK(strstr(certs.text, "KEY") == NULL);
        pem_certs_clear(&certs);
}

TEST(the_key_of_a_certificate_is_told_from_others)
{
        char both[8192];
        struct err err;

        err_init(&err);
        CHECK_OK(check_key(key, &err), err);
        snprintf(both, sizeof(both), "%s%s", cert, key);
        CHECK_OK(check_key(both, &err), err);
        CHECK_ERR(check_key(cert, &err) < 0, err, ERR_INVALID, "no private key");
        CHECK_ERR(check_key("", &err) < 0, err, ERR_INVALID, "no private key");
        snprintf(both, sizeof(both), "%s", key);
        memcpy(both + 60, "????", 4);
        CHECK_ERR(check_key(both, &err) < 0, err, ERR_INVALID, "the key in it is damaged");
}

TEST(nobody_is_asked_for_the_passphrase_of_a_key)
{
        struct err err;

        err_init(&err);
        CHECK_ERR(check_key(encrypted, &err) < 0, err, ERR_UNSUPPORTED, "encrypted");
        CHECK_ERR(check_key(encrypted_before, &err) < 0, err, ERR_UNSUPPORTED, "encrypted");
}

TEST(damaged_and_missing_certificates_are_refused)
{
        struct pem_certs certs;
        char text[8192];
        struct err err;

        err_init(&err);
        CHECK_ERR(pem_certs_read("", 0, &certs, &err) < 0, err, ERR_INVALID, "no certificate");
        CHECK_ERR(
            pem_certs_read(key, strlen(key), &certs, &err) < 0, err, ERR_INVALID, "no certificate");
        /* Behind a good one, too. */
        snprintf(text, sizeof(text), "%s%s", cert, cert);
        memcpy(text + strlen(cert) + 100, "????", 4);
        CHECK_ERR(
            pem_certs_read(text, strlen(text), &certs, &err) < 0, err, ERR_INVALID, "damaged");
        /* Cut off. */
        CHECK_ERR(pem_certs_read(cert, strlen(cert) / 2, &certs, &err) < 0, err, ERR_INVALID, "");
        CHECK_ERR(pem_certs_read(cert, PEM_MAX + 1, &certs, &err) < 0, err, ERR_TOO_BIG, "");
}

static int
read_once(void *arg, struct err *err)
{
        struct pem_certs certs;

        (void)arg;
        if (pem_certs_read(cert, strlen(cert), &certs, err) < 0)
                return -1;
        pem_certs_clear(&certs);
        return 0;
}

TEST(a_failed_allocation_is_an_error)
{
        test_each_allocation(read_once, NULL);
}
