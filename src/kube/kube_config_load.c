#include <stdlib.h>
#include <string.h>

#include "kube_config_internal.h"
#include "moonkeep/mem.h"
#include "moonkeep/path.h"

/* A file that somebody named, and that cannot be read, is a matter of credentials. */
static int
unreadable(struct err *err)
{
        if (err != NULL && err->code != ERR_NOMEM && err->code != ERR_INVALID &&
            err->code != ERR_TOO_BIG)
                err->code = ERR_CREDENTIALS;
        return -1;
}

/* A list as PATH is one; what is missing is passed over. */
static int
read_list(struct kube_docs *docs, const char *list, struct err *err)
{
        const char *at = list;

        for (;;) {
                size_t len = strcspn(at, ":");
                struct err why;
                err_init(&why);
                char *path = len > 0 ? mem_strndup(at, len, &why) : NULL;
                bool failed = path == NULL ? len > 0 : kube_docs_read(docs, path, &why) < 0;
                mem_free(path);
                if (failed && why.code != ERR_NOT_FOUND) {
                        if (err != NULL)
                                *err = why;
                        return unreadable(err);
                }
                if (at[len] == '\0')
                        break;
                at += len + 1;
        }
        if (docs->count > 0)
                return 0;
        err_set(err, ERR_CREDENTIALS,
            "cannot find a kubeconfig: KUBECONFIG is \"%s\", and no such "
            "file is there",
            list);
        return -1;
}

/* ~/.kube/config; 0 with no document when it is not there. */
static int
read_home(struct kube_docs *docs, struct err *err)
{
        const char *home = getenv("HOME");
        struct err why;

        if (home == NULL || *home == '\0')
                return 0;
        char *path = path_join(home, ".kube/config", err);
        if (path == NULL)
                return -1;
        err_init(&why);
        int rc = kube_docs_read(docs, path, &why);
        mem_free(path);
        if (rc == 0 || why.code == ERR_NOT_FOUND)
                return 0;
        if (err != NULL)
                *err = why;
        return unreadable(err);
}

/* No kubeconfig: then we may be in a pod. */
static int
load_pod(const char *context, struct kube_config *out, struct err *err)
{
        struct err why;

        if (context != NULL && strcmp(context, "in-cluster") != 0) {
                err_set(err, ERR_NOT_FOUND, "cannot use context \"%.200s\": there is no kubeconfig",
                    context);
                return err_hint(err, "KUBECONFIG, or ~/.kube/config, is one");
        }
        err_init(&why);
        if (kube_config_pod(out, &why) == 0)
                return 0;
        if (why.code != ERR_NOT_FOUND) {
                if (err != NULL)
                        *err = why;
                return -1;
        }
        err_set(err, ERR_CREDENTIALS,
            "cannot find a cluster: KUBECONFIG is not set, "
            "~/.kube/config is not there, and this is no pod");
        return err_hint(err, "set KUBECONFIG, or name the file and the context");
}

int
kube_config_load(const struct kube_client_opts *opts, struct kube_config *out, struct err *err)
{
        struct kube_docs docs = { .count = 0 };
        const char *list = getenv("KUBECONFIG");
        int rc;

        if (opts->kubeconfig != NULL)
                rc = kube_docs_read(&docs, opts->kubeconfig, err) < 0 ? unreadable(err) : 0;
        else if (list != NULL && *list != '\0')
                rc = read_list(&docs, list, err);
        else
                rc = read_home(&docs, err);
        if (rc < 0) {
                kube_docs_clear(&docs);
                return -1;
        }
        if (docs.count == 0)
                return load_pod(opts->context, out, err);
        return kube_config_resolve(&docs, opts->context, out, err);
}
