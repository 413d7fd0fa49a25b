#include "kube_config_internal.h"

#include <stdio.h>
#include <string.h>

#include "moonkeep/mem.h"
#include "moonkeep/path.h"

static void
free_words(char **words, bool wiped)
{
        for (size_t idx = 0; words != NULL && words[idx] != NULL; idx++) {
                if (wiped)
                        secret_wipe(words[idx], strlen(words[idx]));
                mem_free(words[idx]);
        }
        mem_free(words);
}

void
kube_plugin_free(struct kube_plugin *plugin)
{
        if (plugin == NULL)
                return;
        mem_free(plugin->api_version);
        free_words(plugin->argv, false);
        free_words(plugin->env, true);
        mem_free(plugin->hint);
        mem_free(plugin);
}

/* Room for count words and the NULL behind them, and one more. */
static char **
new_words(const struct kube_entry *exec, const char *field, size_t count, struct err *err)
{
        if (count > KUBE_WORDS_MAX) {
                kube_bad(err, exec, field, "has more than %d entries", KUBE_WORDS_MAX);
                return NULL;
        }
        return mem_zalloc((count + 2) * sizeof(char *), err);
}

/* A command with a slash in it is relative to the file; one without is looked up in PATH. */
static char *
command_path(const struct kube_entry *exec, const char *command, struct err *err)
{
        if (*command == '/' || strchr(command, '/') == NULL)
                return mem_strdup(command, err);
        return path_join(exec->doc->dir, command, err);
}

static int
read_argv(const struct kube_entry *exec, struct kube_plugin *plugin, struct err *err)
{
        const struct json *args = NULL;
        const char *command = NULL;

        if (kube_field_text(exec, "command", &command, err) < 0 ||
            kube_field_list(exec, "args", &args, err) < 0)
                return -1;
        if (command == NULL)
                return kube_bad(err, exec, "command", "is missing");
        plugin->argv = new_words(exec, "args", json_array_len(args), err);
        if (plugin->argv == NULL)
                return -1;
        plugin->argv[0] = command_path(exec, command, err);
        if (plugin->argv[0] == NULL)
                return -1;
        for (size_t idx = 0; idx < json_array_len(args); idx++) {
                size_t len;
                const char *text = json_string(json_array_at(args, idx), &len);
                if (text == NULL || strlen(text) != len)
                        return kube_bad(err, exec, "args", "must be a list of strings");
                plugin->argv[idx + 1] = mem_strdup(text, err);
                if (plugin->argv[idx + 1] == NULL)
                        return -1;
        }
        return 0;
}

/* "NAME=value" */
static char *
env_word(const struct kube_entry *var, struct err *err)
{
        const char *name = NULL, *value = NULL;

        if (json_type_of(var->value) != JSON_T_OBJECT) {
                kube_bad(err, var, NULL, "must be a mapping");
                return NULL;
        }
        if (kube_field_text(var, "name", &name, err) < 0 ||
            kube_field_text(var, "value", &value, err) < 0)
                return NULL;
        if (name == NULL || strchr(name, '=') != NULL) {
                kube_bad(err, var, "name", "must be the name of a variable");
                return NULL;
        }
        size_t size = strlen(name) + (value != NULL ? strlen(value) : 0) + 2;
        char *word = mem_alloc(size, err);
        if (word != NULL)
                snprintf(word, size, "%s=%s", name, value != NULL ? value : "");
        return word;
}

static int
read_env(const struct kube_entry *exec, struct kube_plugin *plugin, struct err *err)
{
        const struct json *vars = NULL;

        if (kube_field_list(exec, "env", &vars, err) < 0)
                return -1;
        plugin->env = new_words(exec, "env", json_array_len(vars), err);
        if (plugin->env == NULL)
                return -1;
        for (size_t idx = 0; idx < json_array_len(vars); idx++) {
                struct kube_entry var = { .doc = exec->doc, .value = json_array_at(vars, idx) };
                snprintf(var.where, sizeof(var.where), "%.280s.env[%zu]", exec->where, idx);
                plugin->env[idx] = env_word(&var, err);
                if (plugin->env[idx] == NULL)
                        return -1;
        }
        return 0;
}

static int
read_version(const struct kube_entry *exec, struct kube_plugin *plugin, struct err *err)
{
        const char *version = plugin->api_version;

        if (version == NULL)
                return kube_bad(err, exec, "apiVersion", "is missing");
        if (strcmp(version, "client.authentication.k8s.io/v1") == 0 ||
            strcmp(version, "client.authentication.k8s.io/v1beta1") == 0)
                return 0;
        kube_bad(err, exec, "apiVersion", "is \"%.80s\", which is not spoken here", version);
        if (err != NULL)
                err->code = ERR_UNSUPPORTED;
        return err_hint(err,
            "client.authentication.k8s.io/v1 and v1beta1 are: bring the plugin, and "
            "what wrote the kubeconfig, up to date");
}

static int
read_mode(const struct kube_entry *exec, struct kube_plugin *plugin, struct err *err)
{
        const char *mode = NULL;

        if (kube_field_text(exec, "interactiveMode", &mode, err) < 0)
                return -1;
        if (mode == NULL || strcmp(mode, "Never") == 0 || strcmp(mode, "IfAvailable") == 0)
                return 0;
        if (strcmp(mode, "Always") != 0)
                return kube_bad(
                    err, exec, "interactiveMode", "must be Never, IfAvailable or Always");
        plugin->needs_terminal = true;
        return 0;
}

int
kube_config_exec(const struct kube_entry *exec, struct kube_config *out, struct err *err)
{
        struct kube_plugin *plugin = mem_zalloc(sizeof(*plugin), err);

        if (plugin == NULL)
                return -1;
        out->plugin = plugin;
        if (kube_field_copy(exec, "apiVersion", &plugin->api_version, err) < 0 ||
            kube_field_copy(exec, "installHint", &plugin->hint, err) < 0 ||
            kube_field_bool(exec, "provideClusterInfo", &plugin->wants_cluster, err) < 0 ||
            read_version(exec, plugin, err) < 0 || read_mode(exec, plugin, err) < 0 ||
            read_argv(exec, plugin, err) < 0)
                return -1;
        return read_env(exec, plugin, err);
}
