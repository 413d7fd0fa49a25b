/*
 * Codecs transform bytes; one generic source and one sink apply any of them.
 */
#ifndef MOONKEEP_CODEC_H
#define MOONKEEP_CODEC_H

#include <stdbool.h>
#include <stddef.h>

#include "moonkeep/secret.h"
#include "moonkeep/stream.h"

/* One step's input and output; the codec advances both. */
struct codec_io {
        const unsigned char *in;
        size_t in_len;
        unsigned char *out;
        size_t out_len;
};

enum codec_state {
        CODEC_MORE,
        CODEC_DONE
};

struct codec;

struct codec_ops {
        const char *name;
        /*
         * Consume some of io->in, produce some of io->out.  ended: no input
         * will follow io->in.  Returns CODEC_MORE, CODEC_DONE (all output was
         * given, only after ended), or -1.  With room for output, input or
         * ended, a step makes progress.  Input that stops short of its own
         * format's end is ERR_TRUNCATED, a broken one ERR_CORRUPT.
         */
        int (*step)(struct codec *codec, struct codec_io *io, bool ended, struct err *err);
        void (*free)(struct codec *codec);
};

struct codec {
        const struct codec_ops *ops;
};

/* codec_source: src through codec.  Takes both (on failure, too). */
struct source *codec_source(struct source *src, struct codec *codec, struct err *err);

/*
 * codec_sink: what is written goes through codec into inner; its end with the
 * commit.  Takes both (on failure, too).
 */
struct sink *codec_sink(struct sink *inner, struct codec *codec, struct err *err);

/* codec_free: release a codec that was given to no stream.  NULL is fine. */
void codec_free(struct codec *codec);

/* Compressors: gzip by ISA-L (level 1 to 3), zstd (level 1 to 19, with checksum). */
struct codec *codec_gzip_new(int level, struct err *err);
struct codec *codec_zstd_new(int level, struct err *err);

/*
 * Decompressors.  Several members or frames in a row are one stream; an
 * empty input is ERR_TRUNCATED; bytes behind the last frame are ERR_CORRUPT.
 * zstd windows above 128 MiB are refused.
 */
struct codec *codec_gunzip_new(struct err *err);
struct codec *codec_unzstd_new(struct err *err);

/*
 * OpenPGP, symmetric (RFC 4880): what `gpg --decrypt` reads.  AES-256 with a
 * key made of the passphrase and a salt of its own, and a digest of all at the
 * end (MDC).  Both derive their key in their first step.  A reference is kept.
 */
struct codec *codec_encrypt_new(struct secret *passphrase, struct err *err);

/*
 * The reader takes what gpg writes for passphrases: AES with MDC or with OCB,
 * compressed with ZIP or ZLIB or not at all.  ERR_KEY: another passphrase.
 * ERR_CORRUPT: changed bytes, or no OpenPGP data at all.  ERR_UNSUPPORTED: other
 * ciphers, public keys, ASCII armor, data without MDC.  With MDC nothing is
 * proven before the end: as with any stream, only its end makes it good.
 */
struct codec *codec_decrypt_new(struct secret *passphrase, struct err *err);

#endif
