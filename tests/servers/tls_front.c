/*
 * tls_front: TLS in front of a plain port of loopback, for tests.
 *
 *     tls_front [OPTION...] PORT
 *
 * Listens on 127.0.0.1 (a free port), prints "port N" on standard output, and
 * passes what it decrypts on to PORT and what comes from there back, until
 * SIGTERM or until its starter is gone.  Its certificate is made at the start,
 * signed by an authority that is made then, too:
 *
 *     --ca FILE          write the authority's certificate to FILE
 *     --name NAME        what it is for: "IP:127.0.0.1" (the default) or "DNS:HOST"
 *     --expired yes      it was valid until yesterday
 *     --self-signed yes  it is its own authority
 *     --silent yes       accept connections, and never say anything
 *     --plain yes        take what comes for a bad request of plain HTTP
 *     --abrupt yes       end connections without TLS's good-bye, as a cut does
 *     --clients DIR      write DIR/NAME.pem and DIR/NAME.key for clients: "one" and "two"
 *                        are known by their authority, which is asked for them, "old"
 *                        has expired, "other" is of another authority
 *     --require yes      with --clients: who shows no certificate is refused
 *     --listen ADDRESS   listen there instead of on 127.0.0.1; --name says what clients call it
 *     --log FILE         append "SNI CLIENT" of each handshake, "-" for what is not there
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "harness/sockets.h"

#define DAY_S (24L * 3600)

struct options {
        const char *ca;
        const char *name;
        bool expired;
        bool self_signed;
        bool silent;
        bool plain;
        bool abrupt;
        const char *clients;
        bool require;
        const char *listen;
        const char *log;
        int port;
};

static struct options options = { .name = "IP:127.0.0.1", .listen = "127.0.0.1" };
static SSL_CTX *context;

static void fail(const char *what) __attribute__((noreturn));

static void
fail(const char *what)
{
        fprintf(stderr, "tls_front: %s\n", what);
        _exit(1);
}

static void *
checked(void *ptr, const char *what)
{
        if (ptr == NULL)
                fail(what);
        return ptr;
}

/* Certificates. */

static void
add_extension(X509 *cert, X509 *issuer, int kind, const char *value)
{
        X509V3_CTX ctx;

        X509V3_set_ctx_nodb(&ctx);
        X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
        X509_EXTENSION *ext =
            checked(X509V3_EXT_conf_nid(NULL, &ctx, kind, value), "cannot make an extension");
        X509_add_ext(cert, ext, -1);
        X509_EXTENSION_free(ext);
}

/* A certificate for key from and to so many seconds from now, without signature. */
static X509 *
make_cert(EVP_PKEY *key, const char *subject, long serial, long from, long to)
{
        X509 *cert = checked(X509_new(), "cannot make a certificate");

        X509_set_version(cert, X509_VERSION_3);
        ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
        X509_gmtime_adj(X509_getm_notBefore(cert), from);
        X509_gmtime_adj(X509_getm_notAfter(cert), to);
        X509_set_pubkey(cert, key);
        X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
            (const unsigned char *)subject, -1, -1, 0);
        return cert;
}

static void
sign(X509 *cert, X509 *issuer, EVP_PKEY *key)
{
        X509_set_issuer_name(cert, X509_get_subject_name(issuer));
        if (X509_sign(cert, key, EVP_sha256()) == 0)
                fail("cannot sign a certificate");
}

static void
write_cert(const char *path, X509 *cert)
{
        FILE *file = checked(fopen(path, "we"), "cannot write the authority's certificate");

        if (PEM_write_X509(file, cert) != 1 || fclose(file) != 0)
                fail("cannot write the authority's certificate");
}

static void
write_client(const char *name, X509 *ca, EVP_PKEY *ca_key, long to)
{
        EVP_PKEY *key = checked(EVP_EC_gen("P-256"), "cannot make a key");
        X509 *cert = make_cert(key, name, 3, -30 * DAY_S, to);
        char path[4096];

        sign(cert, ca != NULL ? ca : cert, ca_key != NULL ? ca_key : key);
        snprintf(path, sizeof(path), "%s/%s.pem", options.clients, name);
        write_cert(path, cert);
        snprintf(path, sizeof(path), "%s/%s.key", options.clients, name);
        FILE *file = checked(fopen(path, "we"), "cannot write a client's key");
        if (PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) != 1 || fclose(file) != 0)
                fail("cannot write a client's key");
        X509_free(cert);
        EVP_PKEY_free(key);
}

static void
set_up_clients(X509 *ca, EVP_PKEY *ca_key)
{
        write_client("one", ca, ca_key, DAY_S);
        write_client("two", ca, ca_key, DAY_S);
        write_client("old", ca, ca_key, -DAY_S);
        write_client("other", NULL, NULL, DAY_S);
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca) != 1)
                fail("cannot use the authority");
        SSL_CTX_set_verify(context,
            SSL_VERIFY_PEER | (options.require ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
        SSL_CTX_set_session_id_context(context, (const unsigned char *)"front", 5);
}

static void
set_up_tls(void)
{
        EVP_PKEY *ca_key = checked(EVP_EC_gen("P-256"), "cannot make a key");
        EVP_PKEY *key = checked(EVP_EC_gen("P-256"), "cannot make a key");
        long to = options.expired ? -DAY_S : DAY_S;

        X509 *ca = make_cert(ca_key, "moonkeep test authority", 1, -30 * DAY_S, DAY_S);
        add_extension(ca, ca, NID_basic_constraints, "critical,CA:TRUE");
        add_extension(ca, ca, NID_key_usage, "critical,keyCertSign");
        sign(ca, ca, ca_key);
        if (options.ca != NULL)
                write_cert(options.ca, ca);

        X509 *cert = make_cert(key, "moonkeep test server", 2, -30 * DAY_S, to);
        add_extension(cert, ca, NID_subject_alt_name, options.name);
        sign(cert, options.self_signed ? cert : ca, options.self_signed ? key : ca_key);

        context = checked(SSL_CTX_new(TLS_server_method()), "cannot set up TLS");
        if (SSL_CTX_use_certificate(context, cert) != 1 ||
            SSL_CTX_use_PrivateKey(context, key) != 1)
                fail("cannot use the certificate");
        if (options.clients != NULL)
                set_up_clients(ca, ca_key);
        X509_free(ca);
        X509_free(cert);
        EVP_PKEY_free(ca_key);
        EVP_PKEY_free(key);
}

/* Connections. */

static int
connect_behind(void)
{
        struct sockaddr_in inet = {
                .sin_family = AF_INET,
                .sin_port = htons((uint16_t)options.port),
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd >= 0 && connect(fd, (struct sockaddr *)&inet, sizeof(inet)) == 0)
                return fd;
        if (fd >= 0)
                close(fd);
        return -1;
}

static bool
write_all(int fd, const char *data, size_t len)
{
        while (len > 0) {
                ssize_t put = write(fd, data, len);
                if (put <= 0)
                        return false;
                data += put;
                len -= (size_t)put;
        }
        return true;
}

/* Bytes both ways until the plain side has ended, or the client has gone. */
static void
relay(SSL *ssl, int client, int behind)
{
        char data[16384];

        for (;;) {
                struct pollfd polls[2] = {
                        { .fd = client, .events = POLLIN },
                        { .fd = behind, .events = POLLIN },
                };
                if (SSL_pending(ssl) == 0 && poll(polls, 2, -1) < 0)
                        return;
                if (SSL_pending(ssl) > 0 || polls[0].revents != 0) {
                        int got = SSL_read(ssl, data, sizeof(data));
                        if (got <= 0 || !write_all(behind, data, (size_t)got))
                                return;
                }
                if (polls[1].revents != 0) {
                        ssize_t got = read(behind, data, sizeof(data));
                        if (got <= 0 || SSL_write(ssl, data, (int)got) <= 0)
                                return;
                }
        }
}

static void
note(SSL *ssl)
{
        const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        X509 *cert = SSL_get1_peer_certificate(ssl);
        char client[128] = "-";

        if (cert != NULL)
                X509_NAME_get_text_by_NID(
                    X509_get_subject_name(cert), NID_commonName, client, sizeof(client));
        X509_free(cert);
        FILE *file = checked(fopen(options.log, "ae"), "cannot write the log");
        fprintf(file, "%s %s\n", sni != NULL ? sni : "-", client);
        fclose(file);
}

static void *
serve(void *arg)
{
        int client = *(int *)arg;

        free(arg);
        if (options.silent || options.plain) {
                static const char refusal[] = "HTTP/1.0 400 Bad Request\r\n\r\n";
                char data[4096];
                while (read(client, data, sizeof(data)) > 0) {
                        if (options.plain)
                                (void)write_all(client, refusal, sizeof(refusal) - 1);
                }
                close(client);
                return NULL;
        }
        SSL *ssl = checked(SSL_new(context), "out of memory");
        SSL_set_fd(ssl, client);
        if (SSL_accept(ssl) == 1) {
                if (options.log != NULL)
                        note(ssl);
                int behind = connect_behind();
                if (behind >= 0) {
                        relay(ssl, client, behind);
                        close(behind);
                }
                if (!options.abrupt)
                        SSL_shutdown(ssl);
        } else {
                /* What is said about the refusal arrives: a close with bytes unread is a reset. */
                char rest[4096];
                shutdown(client, SHUT_WR);
                while (read(client, rest, sizeof(rest)) > 0)
                        continue;
        }
        SSL_free(ssl);
        close(client);
        return NULL;
}

static void
read_options(int argc, char **argv)
{
        int idx = 1;

        for (; idx + 1 < argc && strncmp(argv[idx], "--", 2) == 0; idx += 2) {
                const char *name = argv[idx] + 2;
                if (strcmp(name, "ca") == 0)
                        options.ca = argv[idx + 1];
                else if (strcmp(name, "name") == 0)
                        options.name = argv[idx + 1];
                else if (strcmp(name, "expired") == 0)
                        options.expired = true;
                else if (strcmp(name, "self-signed") == 0)
                        options.self_signed = true;
                else if (strcmp(name, "silent") == 0)
                        options.silent = true;
                else if (strcmp(name, "plain") == 0)
                        options.plain = true;
                else if (strcmp(name, "abrupt") == 0)
                        options.abrupt = true;
                else if (strcmp(name, "clients") == 0)
                        options.clients = argv[idx + 1];
                else if (strcmp(name, "require") == 0)
                        options.require = true;
                else if (strcmp(name, "listen") == 0)
                        options.listen = argv[idx + 1];
                else if (strcmp(name, "log") == 0)
                        options.log = argv[idx + 1];
                else
                        fail("an unknown option");
        }
        if (idx + 1 != argc)
                fail("usage: tls_front [OPTION VALUE]... PORT");
        options.port = atoi(argv[idx]);
}

int
main(int argc, char **argv)
{
        /* Nothing of a test stays when its starter is gone. */
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        signal(SIGPIPE, SIG_IGN);
        read_options(argc, argv);
        set_up_tls();
        int listener = socket_listen_at(options.listen, 0, 64);
        for (;;) {
                int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                if (fd < 0)
                        continue;
                int *own = checked(malloc(sizeof(*own)), "out of memory");
                *own = fd;
                pthread_t thread;
                if (pthread_create(&thread, NULL, serve, own) != 0)
                        fail("cannot start a thread");
                pthread_detach(thread);
        }
}
