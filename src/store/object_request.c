#include <string.h>

#include "moonkeep/mem.h"
#include "object.h"

/* Bound on the parameters and on the headers of one request. */
#define PAIRS_MAX 256

void
object_request_init(struct object_request *request, const struct object_store *it,
    const char *doing, const char *method, const char *key)
{
        memset(request, 0, sizeof(*request));
        err_init(&request->failed);
        request->doing = doing;
        request->method = method;
        request->answer_max = OBJECT_ANSWER_MAX;
        if (key == NULL)
                return;
        size_t prefix_len = strlen(it->prefix);
        size_t len = strlen(key);
        request->key = mem_alloc(prefix_len + len + 1, &request->failed);
        if (request->key == NULL)
                return;
        memcpy(request->key, it->prefix, prefix_len);
        memcpy(request->key + prefix_len, key, len + 1);
}

/* Add a pair; what fails is kept for object_start, so that callers need not look each time. */
static void
add(struct object_request *request, struct object_pair **pairs, size_t *count, const char *name,
    const char *value, struct secret *secret)
{
        struct err *err = &request->failed;
        struct object_pair pair = { 0 };

        if (err->code != ERR_NONE)
                return;
        if (*count == PAIRS_MAX) {
                err_set(err, ERR_TOO_BIG, "a request has more than %d headers or parameters",
                    PAIRS_MAX);
                return;
        }
        if (*count % 8 == 0) {
                struct object_pair *more = mem_realloc(*pairs, (*count + 8) * sizeof(pair), err);
                if (more == NULL)
                        return;
                *pairs = more;
        }
        pair.name = mem_strdup(name, err);
        if (pair.name == NULL)
                return;
        if (secret != NULL) {
                pair.secret = secret_ref(secret);
        } else if (value != NULL) {
                pair.value = mem_strdup(value, err);
                if (pair.value == NULL) {
                        mem_free(pair.name);
                        return;
                }
        }
        (*pairs)[(*count)++] = pair;
}

void
object_request_query(struct object_request *request, const char *name, const char *value)
{
        add(request, &request->query, &request->query_count, name, value, NULL);
}

void
object_request_header(struct object_request *request, const char *name, const char *value)
{
        add(request, &request->headers, &request->header_count, name, value, NULL);
}

void
object_request_secret(struct object_request *request, const char *name, struct secret *secret)
{
        add(request, &request->headers, &request->header_count, name, NULL, secret);
}

static void
free_pairs(struct object_pair *pairs, size_t count)
{
        for (size_t idx = 0; idx < count; idx++) {
                mem_free(pairs[idx].name);
                mem_free(pairs[idx].value);
                secret_unref(pairs[idx].secret);
        }
        mem_free(pairs);
}

void
object_request_clear(struct object_request *request)
{
        free_pairs(request->query, request->query_count);
        free_pairs(request->headers, request->header_count);
        mem_free(request->key);
        memset(request, 0, sizeof(*request));
}
