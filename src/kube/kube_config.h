/*
 * One cluster and one user: out of kubeconfig files, or out of what a pod is
 * given to know.  Internal to src/kube.
 *
 *   kube_config_load.c     which files
 *   kube_config.c          which context, and what it names
 *   kube_config_docs.c     the files, read, and the first entry of a name
 *   kube_config_field.c    fields of an entry, with their place for messages
 *   kube_config_cluster.c  clusters
 *   kube_config_user.c     users
 *   kube_config_exec.c     credential plugins of users
 *   kube_config_pod.c      the service account of a pod
 */
#ifndef MOONKEEP_KUBE_CONFIG_H
#define MOONKEEP_KUBE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "moonkeep/err.h"
#include "moonkeep/kube.h"
#include "moonkeep/secret.h"

#define KUBE_CONFIG_FILE_MAX ((size_t)4 * 1024 * 1024)
#define KUBE_CONFIG_FILES_MAX 64
#define KUBE_PEM_MAX ((size_t)1024 * 1024)
#define KUBE_HEADERS_MAX 64
#define KUBE_WORDS_MAX 256

/* A credential plugin (client.authentication.k8s.io). */
struct kube_plugin {
        char *api_version;
        char **argv; /* NULL-terminated */
        char **env;  /* "NAME=value", NULL-terminated; may be secret */
        char *hint;  /* what to do when it is missing; or NULL */
        bool needs_terminal;
        bool wants_cluster;
};

struct kube_header {
        char *name;
        char *value;
};

struct kube_config {
        char *context;
        char *user;
        char *ns;

        char *server; /* no slash at its end */
        char *ca_pem; /* or NULL: the system's */
        size_t ca_pem_len;
        char *ca_file;      /* where ca_pem was read; NULL: it stood in the configuration */
        char *server_name;  /* or NULL */
        char *proxy;        /* or NULL: the environment's */
        char *plugin_extra; /* JSON that the cluster has for plugins; or NULL */

        char *cert_pem; /* or NULL */
        size_t cert_pem_len;
        struct secret *key_pem;
        char *cert_file, *key_file; /* as ca_file */
        struct secret *token;       /* or NULL */
        char *token_file;           /* or NULL; comes before token */
        struct secret *basic;       /* base64 of "user:password"; or NULL */
        struct kube_plugin *plugin; /* or NULL */
        struct kube_header *headers;
        size_t header_count;
};

/* kube_config_load: as kube_client_open says.  *out is to be cleared. */
int kube_config_load(const struct kube_client_opts *opts, struct kube_config *out, struct err *err);

/* kube_config_parse: the same from the text of one file; relative paths are relative to path. */
int kube_config_parse(const char *path, const char *text, size_t len, const char *context,
    struct kube_config *out, struct err *err);

/* kube_config_clear: release what it holds, wiped where it may be secret; it is zeroed. */
void kube_config_clear(struct kube_config *config);

/* kube_config_pod: of the pod that we run in; ERR_NOT_FOUND: we do not. */
int kube_config_pod(struct kube_config *out, struct err *err);

/* kube_config_pod_root: for tests: where a pod's service account lies; NULL: where it does. */
void kube_config_pod_root(const char *path);

/* kube_token_file: a token as a secret, without blanks around it. */
struct secret *kube_token_file(const char *path, struct err *err);

#endif
