/*
 * bound [--tls] < FILE: the least that a verified upload costs in one thread:
 * read, copy into a part of 8 MiB, SHA-256 of each part; with --tls also
 * AES-256-GCM in records of 16 KiB.  What scripts/bench-stores divides by.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK ((size_t)256 * 1024)
#define PART ((size_t)8 * 1024 * 1024)
#define RECORD ((size_t)16 * 1024)

static unsigned char chunk[CHUNK], part[PART], sealed[RECORD + 64];

static void
seal(EVP_CIPHER_CTX *gcm, const unsigned char *data, size_t len)
{
        static unsigned char nonce[12];
        int out;

        for (size_t at = 0; at < len; at += RECORD) {
                size_t now = len - at < RECORD ? len - at : RECORD;
                nonce[0]++;
                if (EVP_EncryptInit_ex(gcm, NULL, NULL, NULL, nonce) != 1 ||
                    EVP_EncryptUpdate(gcm, sealed, &out, data + at, (int)now) != 1 ||
                    EVP_EncryptFinal_ex(gcm, sealed + out, &out) != 1 ||
                    EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_AEAD_GET_TAG, 16, sealed + now) != 1)
                        exit(1);
        }
}

int
main(int argc, char **argv)
{
        int tls = argc > 1 && strcmp(argv[1], "--tls") == 0;
        EVP_MD_CTX *sha = EVP_MD_CTX_new();
        EVP_CIPHER_CTX *gcm = EVP_CIPHER_CTX_new();
        unsigned char key[32] = { 1 }, digest[32];
        unsigned char sum = 0;
        size_t filled = 0;
        ssize_t got;

        if (sha == NULL || gcm == NULL || EVP_DigestInit_ex(sha, EVP_sha256(), NULL) != 1 ||
            EVP_EncryptInit_ex(gcm, EVP_aes_256_gcm(), NULL, key, NULL) != 1)
                return 1;
        while ((got = read(0, chunk, CHUNK)) > 0) {
                size_t len = (size_t)got;
                if (len > PART - filled)
                        len = PART - filled;
                memcpy(part + filled, chunk, len);
                filled += len;
                if (EVP_DigestUpdate(sha, chunk, (size_t)got) != 1)
                        return 1;
                if (tls)
                        seal(gcm, chunk, (size_t)got);
                if (filled == PART) {
                        if (EVP_DigestFinal_ex(sha, digest, NULL) != 1 ||
                            EVP_DigestInit_ex(sha, EVP_sha256(), NULL) != 1)
                                return 1;
                        sum ^= digest[0] ^ part[PART - 1];
                        filled = 0;
                }
        }
        printf("%d\n", sum);
        return got < 0;
}
