#include "http_internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "moonkeep/time.h"

#define PROXY_HINT                                                                                 \
        "https_proxy, http_proxy (for http://) or all_proxy name the proxy; no_proxy names hosts " \
        "that are reached without it"

/* What libcurl says, as the last part of a one-line message. */
static const char *
reason(struct transfer *transfer, CURLcode result)
{
        char *text = transfer->curl_error;

        if (*text == '\0')
                return curl_easy_strerror(result);
        /* It goes on with the URL of the proxy, which may have a password in it. */
        if (strncmp(text, "Unsupported proxy", 17) == 0)
                return "the URL of the proxy is not understood";
        for (char *at = text; *at != '\0'; at++) {
                if ((unsigned char)*at < ' ' || *at == 0x7f)
                        *at = ' ';
        }
        return text;
}

/* Whom libcurl wanted to connect to: the host, or a proxy in between. */
struct peer {
        char host[256];
        int port;
        bool is_proxy;
};

static void
find_peer(const struct transfer *transfer, struct peer *out)
{
        const struct url *url = &transfer->url;
        struct peer tried = { .is_proxy = true };

        out->is_proxy = false;
        out->port = url->port;
        if (out->port == 0)
                out->port = strcmp(url->scheme, "https") == 0 ? 443 : 80;
        snprintf(out->host, sizeof(out->host), "%s", url->host);
        size_t len = strlen(out->host);
        /* libcurl leaves out the dot at the end of a name. */
        if (len > 0 && out->host[len - 1] == '.')
                out->host[len - 1] = '\0';
        /* Only its text tells; it is looked at before it is changed. */
        if (sscanf(transfer->curl_error, "Failed to connect to %255s port %d", tried.host,
                &tried.port) == 2 &&
            (tried.port != out->port || strcasecmp(tried.host, out->host) != 0))
                *out = tried;
}

static int
cannot_connect(struct transfer *transfer, CURLcode result, struct err *err)
{
        const struct http_request *request = &transfer->request;
        struct peer peer;
        long sys = 0;
        char text[128];

        find_peer(transfer, &peer);
        const char *why = reason(transfer, result);
        (void)curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &sys);
        if (result == CURLE_COULDNT_CONNECT && sys != 0)
                why = strerror_r((int)sys, text, sizeof(text));
        if (request->unix_socket != NULL) {
                err_set(err, ERR_NETWORK, "cannot connect to the socket \"%s\": %s",
                    request->unix_socket, why);
        } else {
                bool is_ipv6 = strchr(peer.host, ':') != NULL;
                err_set(err, ERR_NETWORK, "cannot connect to %s%s%s%s:%d: %s",
                    peer.is_proxy ? "the proxy " : "", is_ipv6 ? "[" : "", peer.host,
                    is_ipv6 ? "]" : "", peer.port, why);
        }
        if (peer.is_proxy || result == CURLE_COULDNT_RESOLVE_PROXY)
                err_hint(err, PROXY_HINT);
        if (err != NULL) {
                err->sys = (int)sys;
                err->retryable = true;
        }
        return -1;
}

static int
fail(
    struct transfer *transfer, enum err_code code, bool retryable, const char *why, struct err *err)
{
        err_set(err, code, "cannot %s \"%s\": %s", transfer->request.method, transfer->name, why);
        if (err != NULL)
                err->retryable = retryable;
        return -1;
}

/* The proxy did not let us through, and said so with a status. */
static int
proxy_refused(struct transfer *transfer, long status, struct err *err)
{
        char why[64];

        if (status == 407) {
                fail(transfer, ERR_CREDENTIALS, false,
                    "the proxy wants a user and a password, or others (HTTP 407)", err);
                return err_hint(err, "they stand in its URL: https_proxy=http://USER:PASSWORD@HOST:"
                                     "PORT, or http_proxy for http://");
        }
        snprintf(why, sizeof(why), "the proxy does not connect us (HTTP %ld)", status);
        fail(transfer, status >= 500 ? ERR_NETWORK : ERR_PERMISSION, status >= 500, why, err);
        return err_hint(err, PROXY_HINT);
}

/* So a server that speaks TLS takes leave of one that does not. */
static int
no_answer(struct transfer *transfer, struct err *err)
{
        long connects = 0;

        fail(
            transfer, ERR_NETWORK, true, "the server closed the connection without an answer", err);
        (void)curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connects);
        if (connects > 0 && strcmp(transfer->url.scheme, "http") == 0)
                return err_hint(err, "perhaps it speaks TLS there: https://");
        return -1;
}

/* The server ended TLS with an alert: about who we are, as a rule. */
static int
client_refused(struct transfer *transfer, CURLcode result, struct err *err)
{
        const struct http_route *route = transfer->request.route;
        int64_t ends_ms = http_route_cert_ends_ms(route);
        char end[TIME_ISO_SIZE];

        fail(transfer, ERR_TLS, false, reason(transfer, result), err);
        if (route == NULL || route->cert.text == NULL)
                return err_hint(err, "the server wants a certificate of its clients");
        if (ends_ms > time_now_ms())
                return err_hint(err, "the server does not take our certificate");
        time_iso(ends_ms, end);
        return err_hint(err, "our certificate expired on %s", end);
}

/* The connection broke: before the answer, or in the middle of it? */
static int
broken(struct transfer *transfer, CURLcode result, struct err *err)
{
        char why[CURL_ERROR_SIZE + 64];
        long connect_status = 0;

        (void)curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &connect_status);
        if (connect_status >= 300)
                return proxy_refused(transfer, connect_status, err);
        /* In TLS 1.3 a server looks at our certificate when we take the handshake for done. */
        if (strstr(transfer->curl_error, "alert") != NULL)
                return client_refused(transfer, result, err);
        if (transfer->answer.status == 0) {
                if (result == CURLE_GOT_NOTHING)
                        return no_answer(transfer, err);
                return fail(transfer, ERR_NETWORK, true, reason(transfer, result), err);
        }
        /* Broken chunks come with the same code as a broken connection; only the text tells. */
        if (result == CURLE_RECV_ERROR && strstr(transfer->curl_error, "hunk") != NULL)
                return fail(transfer, ERR_PROTOCOL, false, reason(transfer, result), err);
        snprintf(why, sizeof(why), "the answer broke off: %s", reason(transfer, result));
        return fail(transfer, ERR_TRUNCATED, true, why, err);
}

/* Results of OpenSSL's verification that call for another answer than an authority. */
enum {
        VERIFY_OK = 0,
        VERIFY_NONE = 1, /* libcurl's own: it looks at the host's name first */
        VERIFY_NOT_YET_VALID = 9,
        VERIFY_HAS_EXPIRED = 10
};

static bool
has_authorities(const struct transfer *transfer)
{
        const struct http_route *route = transfer->request.route;

        return route != NULL && route->authorities.text != NULL;
}

static int
certificate_hint(struct transfer *transfer, struct err *err)
{
        const char *ca_file = transfer->request.ca_file;
        long result = -1;

        (void)curl_easy_getinfo(transfer->easy, CURLINFO_SSL_VERIFYRESULT, &result);
        if (result == VERIFY_OK || result == VERIFY_NONE)
                return err_hint(err, "use a name of the server that its certificate is for");
        if (result == VERIFY_NOT_YET_VALID || result == VERIFY_HAS_EXPIRED)
                return err_hint(
                    err, "renew the server's certificate, or set the clock of this machine right");
        if (has_authorities(transfer))
                return err_hint(err,
                    "the authorities that are configured for it did not sign the server's "
                    "certificate");
        if (ca_file != NULL)
                return err_hint(err,
                    "\"%s\" does not hold the authority that signed the server's certificate",
                    ca_file);
        const char *option = transfer->request.ca_option;
        return err_hint(err, "give the certificate of the authority that signed the server's: %s",
            option != NULL ? option : "--ca-file");
}

/*
 * The connection broke before TLS had decided anything: the server is going
 * down, or coming up.  libcurl has one code for that and for all that TLS says.
 */
static bool
is_broken_handshake(const struct transfer *transfer, CURLcode result)
{
        static const char *const texts[] = { "Recv failure", "Send failure", "SSL_ERROR_SYSCALL",
                "Connection reset", "Broken pipe", "unexpected eof" };

        for (size_t idx = 0; idx < sizeof(texts) / sizeof(texts[0]); idx++) {
                if (strstr(transfer->curl_error, texts[idx]) != NULL)
                        return result == CURLE_SSL_CONNECT_ERROR;
        }
        return false;
}

static int
tls_failed(struct transfer *transfer, CURLcode result, struct err *err)
{
        const char *ca_file = transfer->request.ca_file;

        if (is_broken_handshake(transfer, result)) {
                char why[CURL_ERROR_SIZE + 64];
                snprintf(why, sizeof(why), "the connection broke in the TLS handshake: %s",
                    reason(transfer, result));
                return fail(transfer, ERR_NETWORK, true, why, err);
        }
        fail(transfer, ERR_TLS, false, reason(transfer, result), err);
        if (result == CURLE_PEER_FAILED_VERIFICATION)
                return certificate_hint(transfer, err);
        if (result == CURLE_SSL_CACERT_BADFILE)
                return err_hint(
                    err, "it must be a file of certificates in the PEM form that we may read");
        /* What OpenSSL makes of an answer without TLS. */
        if (strstr(transfer->curl_error, "wrong version number") != NULL)
                return err_hint(err, "does the server speak TLS there? perhaps it is http://");
        /* It finds this out, and does not say so, when it follows a name to another key. */
        if (result == CURLE_SSL_CONNECT_ERROR && ca_file != NULL)
                return err_hint(err,
                    "is \"%s\" the server's authority, or an older one of that name?", ca_file);
        if (result == CURLE_SSL_CONNECT_ERROR && has_authorities(transfer))
                return err_hint(err, "are the authorities that are configured for it older ones of "
                                     "the same name?");
        return -1;
}

/*
 * Where neither a length nor chunks say where the answer ends, only the
 * connection does, and a cut looks the same: libcurl does not tell whether
 * TLS said good-bye, and plain HTTP has nothing to say it with.
 */
static bool
is_open_ended(const struct transfer *transfer)
{
        const struct http_answer *answer = &transfer->answer;

        if (strcmp(transfer->request.method, "HEAD") == 0 || answer->status == 204 ||
            answer->status >= 300)
                return false;
        return http_answer_header(answer, "content-length") == NULL &&
               http_answer_header(answer, "transfer-encoding") == NULL;
}

static int
judge_answer(struct transfer *transfer, struct err *err)
{
        /* A connection that is closed between two header lines is no error to libcurl. */
        if (!transfer->headers_complete)
                return fail(
                    transfer, ERR_TRUNCATED, true, "the answer broke off in its headers", err);
        if (transfer->answer.status == 407)
                return proxy_refused(transfer, 407, err);
        if (is_open_ended(transfer)) {
                fail(transfer, ERR_PROTOCOL, false,
                    "the answer does not say how long it is, so that a cut would not be noticed",
                    err);
                return err_hint(err, "is there an old proxy in between, or is it another server?");
        }
        return 0;
}

int
http_judge(struct transfer *transfer, CURLcode result, struct err *err)
{
        if (result != CURLE_OK && transfer->err.code != ERR_NONE) {
                if (err != NULL)
                        *err = transfer->err;
                return -1;
        }
        switch (result) {
        case CURLE_OK:
                return judge_answer(transfer, err);
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_COULDNT_CONNECT:
        case CURLE_PROXY:
                return cannot_connect(transfer, result, err);
        case CURLE_SEND_ERROR:
        case CURLE_RECV_ERROR:
        case CURLE_GOT_NOTHING:
        case CURLE_PARTIAL_FILE:
                return broken(transfer, result, err);
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CIPHER:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_SSL_CRL_BADFILE:
        case CURLE_SSL_INVALIDCERTSTATUS:
        case CURLE_SSL_SHUTDOWN_FAILED:
        case CURLE_SSL_CLIENTCERT:
                return tls_failed(transfer, result, err);
        case CURLE_OPERATION_TIMEDOUT:
                return fail(transfer, ERR_TIMEOUT, true, reason(transfer, result), err);
        case CURLE_OUT_OF_MEMORY:
                return fail(transfer, ERR_NOMEM, false, reason(transfer, result), err);
        case CURLE_URL_MALFORMAT:
                return fail(transfer, ERR_USAGE, false, reason(transfer, result), err);
        case CURLE_WEIRD_SERVER_REPLY:
        case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9: no status line at all */
        case CURLE_HTTP2:
        case CURLE_BAD_CONTENT_ENCODING:
                return fail(transfer, ERR_PROTOCOL, false, reason(transfer, result), err);
        case CURLE_FAILED_INIT:
        case CURLE_BAD_FUNCTION_ARGUMENT:
        case CURLE_UNKNOWN_OPTION:
        case CURLE_NOT_BUILT_IN:
                return fail(transfer, ERR_INTERNAL, false, reason(transfer, result), err);
        default:
                return fail(transfer, ERR_NETWORK, false, reason(transfer, result), err);
        }
}
