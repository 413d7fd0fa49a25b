#include "kube_plugin.h"

#include <stdio.h>
#include <string.h>

#include "kube_quote.h"
#include "moonkeep/buf.h"
#include "moonkeep/mem.h"
#include "moonkeep/proc.h"

#define ANSWER_MAX ((size_t)1024 * 1024)
#define STALL_MS 60000

static void
wipe(struct buf *bytes)
{
        if (bytes->data != NULL)
                secret_wipe(bytes->data, bytes->cap);
}

static int
not_started(const struct kube_config *config, struct err *err)
{
        const struct kube_plugin *plugin = config->plugin;

        if (err == NULL || err->code == ERR_NOMEM || err->code == ERR_CANCELLED)
                return -1;
        bool missing = err->code == ERR_NOT_FOUND;
        err->code = ERR_CREDENTIALS;
        if (missing && plugin->hint != NULL) {
                char said[KUBE_QUOTE_SIZE];
                kube_quote(plugin->hint, strlen(plugin->hint), said);
                err_hint(err, "%s", said);
        } else if (missing) {
                err_hint(err, "install it, or put its directory into PATH");
        }
        return -1;
}

/* It failed: what it said may help, and may be secret. */
static int
failed(const struct kube_plugin *plugin, const struct proc_result *result, struct err *err)
{
        char said[KUBE_QUOTE_SIZE];

        kube_quote(result->err_out.data, result->err_out.len, said);
        return err_set(err, ERR_CREDENTIALS, "\"%s\" ended with status %d%s%s", plugin->argv[0],
            result->status, *said != '\0' ? ": " : "", said);
}

/* The plugin's environment: what the kubeconfig says, and what we say of us. */
static int
run_with(const struct kube_config *config, char *info, struct proc_result *result,
    struct cancel *cancel, struct err *err)
{
        const struct kube_plugin *plugin = config->plugin;
        const char *env[KUBE_WORDS_MAX + 2];
        size_t count = 0;

        for (; plugin->env[count] != NULL; count++)
                env[count] = plugin->env[count];
        env[count++] = info;
        env[count] = NULL;
        struct proc_spec spec = { .argv = (const char *const *)plugin->argv,
                .env = env,
                .output_max = ANSWER_MAX,
                .stall_ms = STALL_MS };
        return proc_run(&spec, result, cancel, err);
}

int
kube_plugin_run(const struct kube_config *config, const struct buf *authority,
    struct kube_credential *out, struct cancel *cancel, struct err *err)
{
        const struct kube_plugin *plugin = config->plugin;
        struct proc_result result;
        struct buf info;
        int rc;

        if (plugin->needs_terminal) {
                err_set(err, ERR_CREDENTIALS,
                    "cannot get credentials for user \"%s\": \"%s\" needs a terminal", config->user,
                    plugin->argv[0]);
                return err_hint(err,
                    "its interactiveMode is Always: log in with it before, or use a "
                    "service account");
        }
        buf_init(&info, ANSWER_MAX);
        rc = buf_addstr(&info, "KUBERNETES_EXEC_INFO=", err);
        if (rc == 0)
                rc = kube_plugin_info(config, authority, &info, err);
        if (rc < 0) {
                buf_free(&info);
                return -1;
        }
        rc = run_with(config, info.data, &result, cancel, err);
        if (rc < 0)
                not_started(config, err);
        else if (result.status != 0)
                rc = failed(plugin, &result, err);
        else if ((rc = kube_plugin_answer(result.out.data != NULL ? result.out.data : "",
                      result.out.len, plugin->api_version, out, err)) < 0)
                err_prefix(err, "the answer of \"%s\"", plugin->argv[0]);
        wipe(&result.out);
        wipe(&result.err_out);
        proc_result_free(&result);
        buf_free(&info);
        if (rc < 0)
                err_prefix(err, "cannot get credentials for user \"%s\"", config->user);
        return rc;
}
