#include "../../src/kube/kube_config.h"
#include "harness/kube_test.h"
#include "moonkeep/mem.h"

static struct kube_config config;

static void
load(const char *kubeconfig, const char *context)
{
        struct kube_client_opts opts = { .kubeconfig = kubeconfig, .context = context };
        struct err err;

        CHECK_OK(kube_config_load(&opts, &config, &err), err);
}

static struct err
load_fails(const char *kubeconfig, const char *context, enum err_code code, const char *why)
{
        struct kube_client_opts opts = { .kubeconfig = kubeconfig, .context = context };
        struct err err;

        CHECK_ERR(kube_config_load(&opts, &config, &err) < 0, err, code, why);
        check_not_shown(&err);
        CHECK(config.server == NULL);
        return err;
}

static void
parse(const char *text)
{
        struct err err;

        CHECK_OK(kube_config_parse("/etc/k/conf", text, strlen(text), NULL, &config, &err), err);
}

static struct err
parse_fails(const char *text, enum err_code code, const char *why)
{
        struct err err;
        int rc = kube_config_parse("/etc/k/conf", text, strlen(text), NULL, &config, &err);

        CHECK_ERR(rc < 0, err, code, why);
        check_not_shown(&err);
        CHECK(strstr(err.msg, "\"/etc/k/conf\"") != NULL);
        return err;
}

TEST(a_context_names_a_cluster_a_user_and_a_namespace)
{
        parse(
            "{\"current-context\":\"b\",\"contexts\":["
            "{\"name\":\"a\",\"context\":{\"cluster\":\"x\",\"user\":\"x\"}},"
            "{\"name\":\"b\",\"context\":{\"cluster\":\"k\",\"user\":\"u\",\"namespace\":\"n\"}}],"
            "\"clusters\":[{\"name\":\"k\",\"cluster\":{\"server\":\"https://h:6443/k8s/c//\","
            "\"tls-server-name\":\"t\",\"proxy-url\":\"http://p:1\"}}],"
            "\"users\":[{\"name\":\"u\",\"user\":{\"token\":\"hidden\"}}]}");
        CHECK_STR(config.context, "b");
        CHECK_STR(config.user, "u");
        CHECK_STR(config.ns, "n");
        CHECK_STR(config.server, "https://h:6443/k8s/c");
        CHECK_STR(config.server_name, "t");
        CHECK_STR(config.proxy, "http://p:1");
        CHECK_STR(secret_bytes(config.token, NULL), "hidden");
        kube_config_clear(&config);
}

TEST(without_a_namespace_it_is_default)
{
        parse(one_config(A_SERVER, A_TOKEN));
        CHECK_STR(config.ns, "default");
        kube_config_clear(&config);
}

TEST(a_kubeconfig_is_yaml)
{
        parse("# written by hand\n"
              "apiVersion: v1\nkind: Config\ncurrent-context: \"yes\"\n"
              "contexts:\n- name: \"yes\"\n  context:\n    cluster: &name 2026-lab\n    user: u\n"
              "clusters:\n- name: *name\n  cluster:\n    server: https://h:6443\n"
              "    certificate-authority-data: |\n      Q0\n      E=\n"
              "users:\n- name: u\n  user: {token: hidden-t}\npreferences: {}\n");
        CHECK_STR(config.context, "yes");
        CHECK_STR(config.server, "https://h:6443");
        kube_config_clear(&config);
        parse_fails("a: 1\n---\nb: 2\n", ERR_INVALID, "it has 2 YAML documents, not one");
        parse_fails("a: [\n", ERR_INVALID, "cannot use kubeconfig");
}

/* Files of a list. */

static const char *const first =
    "{\"contexts\":[{\"name\":\"one\",\"context\":{\"cluster\":\"k\",\"user\":\"u\"}}],"
    "\"users\":[{\"name\":\"u\",\"user\":{\"token\":\"hidden-first\"}}]}";
static const char *const second =
    "{\"current-context\":\"one\","
    "\"contexts\":[{\"name\":\"one\",\"context\":{\"cluster\":\"wrong\",\"user\":\"u\","
    "\"namespace\":\"second\"}},"
    "{\"name\":\"two\",\"context\":{\"cluster\":\"k\",\"user\":\"v\"}}],"
    "\"clusters\":[{\"name\":\"k\",\"cluster\":{\"server\":\"https://h\"}}],"
    "\"users\":[{\"name\":\"u\",\"user\":{\"token\":\"hidden-second\",\"as\":\"x\"}},"
    "{\"name\":\"v\",\"user\":{\"token\":\"hidden-v\"}}]}";

/* KUBECONFIG: these files of the test's directory, and "" between them. */
static void
set_list(const char *one, const char *two)
{
        char list[4096];

        snprintf(list, sizeof(list), "%s/%s:%s/missing::%s/%s", test_dir(), one, test_dir(),
            test_dir(), two);
        setenv("KUBECONFIG", list, 1);
}

TEST(the_first_file_that_has_a_name_wins_with_the_whole_entry)
{
        clean_environment();
        write_file("a", first);
        write_file("b", second);
        set_list("a", "b");
        load(NULL, NULL);
        CHECK_STR(config.context, "one");
        CHECK_STR(config.ns, "default");
        CHECK_STR(config.server, "https://h");
        CHECK_STR(secret_bytes(config.token, NULL), "hidden-first");
        CHECK_INT(config.header_count, 0);
        kube_config_clear(&config);
        load(NULL, "two");
        CHECK_STR(secret_bytes(config.token, NULL), "hidden-v");
        kube_config_clear(&config);
}

TEST(the_order_of_the_files_decides)
{
        clean_environment();
        write_file("a", first);
        write_file("b", second);
        set_list("b", "a");
        struct err err = load_fails(NULL, NULL, ERR_INVALID,
            "contexts[name=one].context.cluster names \"wrong\", and there is none in clusters");
        CHECK(strstr(err.msg, "/b\"") != NULL);
}

TEST(a_list_of_which_no_file_is_there_is_an_error)
{
        clean_environment();
        setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1);
        setenv("KUBERNETES_SERVICE_PORT", "443", 1);
        set_list("x", "y");
        load_fails(NULL, NULL, ERR_CREDENTIALS, "KUBECONFIG is");
}

TEST(a_file_that_was_named_has_to_be_there)
{
        clean_environment();
        write_file("a", first);
        set_list("a", "x");
        load_fails(test_path("b"), NULL, ERR_CREDENTIALS, "No such file");
}

TEST(the_file_at_home_is_read_without_a_list)
{
        clean_environment();
        CHECK(mkdir(test_path(".kube"), 0700) == 0);
        write_file(".kube/config", one_config(A_SERVER, A_TOKEN));
        load(NULL, NULL);
        CHECK_STR(config.context, "c");
        kube_config_clear(&config);
}

TEST(a_context_that_is_not_there_is_told_with_those_that_are)
{
        clean_environment();
        write_file("b", second);
        set_list("x", "b");
        struct err err = load_fails(NULL, "three", ERR_NOT_FOUND, "\"three\"");
        CHECK_STR(err.hint, "there are \"one\", \"two\"");
        write_file("b", first);
        err = load_fails(NULL, NULL, ERR_NOT_FOUND, "has no current-context");
        CHECK_STR(err.hint, "there are \"one\"");
}

/* Pods. */

TEST(a_pod_knows_its_cluster)
{
        clean_environment();
        setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
        setenv("KUBERNETES_SERVICE_PORT", "443", 1);
        kube_config_pod_root(test_dir());
        struct err err = load_fails(NULL, NULL, ERR_CREDENTIALS, "service account");
        CHECK(strstr(err.hint, "automountServiceAccountToken") != NULL);
        write_file("token", "hidden-pod\n");
        load_fails(NULL, NULL, ERR_CREDENTIALS, "ca.crt");
        write_file("ca.crt", "PEM");
        load(NULL, NULL);
        CHECK_STR(config.ns, "default");
        kube_config_clear(&config);
        write_file("namespace", "backup\n");
        load(NULL, NULL);
        CHECK_STR(config.context, "in-cluster");
        CHECK_STR(config.server, "https://[fd00::1]:443");
        CHECK_STR(config.ns, "backup");
        CHECK_STR(config.user, "");
        CHECK_STR(config.token_file, test_path("token"));
        kube_config_clear(&config);
        load_fails(NULL, "c", ERR_NOT_FOUND, "there is no kubeconfig");
}

TEST(without_anything_it_says_what_was_looked_at)
{
        clean_environment();
        struct err err = load_fails(NULL, NULL, ERR_CREDENTIALS, "~/.kube/config is not there");
        CHECK(strstr(err.hint, "KUBECONFIG") != NULL);
}

/* Clusters. */

TEST(what_is_wrong_with_a_cluster_is_told_with_its_place)
{
        static const struct {
                const char *cluster, *why;
                enum err_code code;
        } cases[] = {
                { "", "clusters[name=k].cluster.server is missing", ERR_INVALID },
                { "\"server\":7", "clusters[name=k].cluster.server must be a string", ERR_INVALID },
                { "\"server\":\"h:1\"", "server must begin with https://", ERR_INVALID },
                { "\"server\":\"https://u:hidden@h\"", "server has a user", ERR_INVALID },
                { "\"server\":\"https://h?x\"", "server has a user, password or query",
                    ERR_INVALID },
                { A_SERVER ",\"insecure-skip-tls-verify\":true", "insecure-skip-tls-verify is true",
                    ERR_UNSUPPORTED },
                { A_SERVER ",\"insecure-skip-tls-verify\":\"no\"", "must be true or false",
                    ERR_INVALID },
                { A_SERVER ",\"certificate-authority-data\":\"*hidden*\"",
                    "clusters[name=k].cluster.certificate-authority-data is no base64",
                    ERR_INVALID },
                { A_SERVER ",\"certificate-authority\":\"none.crt\"",
                    "certificate-authority: cannot open \"/etc/k/none.crt\"", ERR_CREDENTIALS },
                { A_SERVER ",\"extensions\":{}", "extensions must be a list", ERR_INVALID },
        };

        for (size_t idx = 0; idx < sizeof(cases) / sizeof(*cases); idx++)
                parse_fails(
                    one_config(cases[idx].cluster, A_TOKEN), cases[idx].code, cases[idx].why);
}

TEST(a_secret_that_is_no_yaml_is_not_shown)
{
        parse_fails("users: [{name: u, user: {password: *hidden}}]", ERR_INVALID,
            "line 1, column 36: there is no anchor \"...\"");
        parse_fails("users:\n- user: {password: !hidden x}", ERR_INVALID,
            "line 2, column 20: the tag \"...\" is not supported");
        parse_fails("password: !!int hidden\"\"x", ERR_INVALID, "\"...\" is tagged !!int");
        parse_fails("password: &hidden *hidden", ERR_INVALID, "line 1");
        parse_fails("hidden: 1\nhidden: 2", ERR_INVALID, "the key \"...\" is there twice");
}

TEST(what_is_no_kubeconfig_is_told)
{
        parse_fails("{\"kind\":\"Pod\"}", ERR_INVALID, "its kind is \"Pod\"");
        parse_fails("{\"kind\":\"Po\\nd\"}", ERR_INVALID, "its kind is \"Po d\"");
        parse_fails("[]", ERR_INVALID, "it is no mapping");
        parse_fails(
            "{\"current-context\":\"c\",\"contexts\":{}}", ERR_INVALID, "contexts must be a list");
        parse_fails("{\"current-context\":\"c\",\"contexts\":[7]}", ERR_INVALID,
            "contexts[0] must be a mapping");
        parse_fails("{\"current-context\":\"c\",\"contexts\":[{\"name\":\"c\"},{\"name\":\"c\"}]}",
            ERR_INVALID, "contexts[name=c] is there twice");
        parse_fails("{\"current-context\":\"c\",\"contexts\":[{\"name\":\"c\",\"context\":{}}]}",
            ERR_INVALID, "contexts[name=c].context.cluster is missing");
        parse_fails("", ERR_NOT_FOUND, "has no current-context");
}

TEST(paths_are_relative_to_their_file_and_data_comes_before_them)
{
        clean_environment();
        CHECK(mkdir(test_path("d"), 0700) == 0);
        write_file("d/ca", "CA FILE");
        write_file("d/conf", one_config(A_SERVER ",\"certificate-authority\":\"ca\"",
                                 "\"tokenFile\":\"./sub/token\""));
        load(test_path("d/conf"), NULL);
        CHECK_STR(config.ca_pem, "CA FILE");
        CHECK_STR(config.token_file, test_path("d/./sub/token"));
        kube_config_clear(&config);
        CHECK(chdir(test_dir()) == 0);
        setenv("KUBECONFIG", "d/conf", 1);
        load(NULL, NULL);
        CHECK_STR(config.ca_pem, "CA FILE");
        kube_config_clear(&config);
        parse(one_config(A_SERVER ",\"certificate-authority\":\"none\","
                                  "\"certificate-authority-data\":\"REFU\\nQQ==\"",
            A_TOKEN));
        CHECK_STR(config.ca_pem, "DATA");
        CHECK_INT(config.ca_pem_len, 4);
        kube_config_clear(&config);
}

/* Users. */

TEST(a_user_proves_who_it_is_by_any_of_these)
{
        parse(one_config(A_SERVER, "\"username\":\"me\",\"password\":\"hidden-pass\""));
        CHECK_STR(secret_bytes(config.basic, NULL), "bWU6aGlkZGVuLXBhc3M=");
        kube_config_clear(&config);
        parse(one_config(
            A_SERVER, "\"client-certificate-data\":\"Q0VSVA==\",\"client-key-data\":\"S0VZ\""));
        CHECK_STR(config.cert_pem, "CERT");
        CHECK_STR(secret_bytes(config.key_pem, NULL), "KEY");
        kube_config_clear(&config);
}

TEST(a_proxy_of_plain_http_needs_no_proof)
{
        parse(one_config("\"server\":\"http://127.0.0.1:8001\"", ""));
        CHECK(config.token == NULL && config.basic == NULL);
        kube_config_clear(&config);
}

TEST(impersonation_becomes_headers)
{
        parse(one_config(A_SERVER,
            A_TOKEN ",\"as\":\"boss\",\"as-uid\":\"7\",\"as-groups\":[\"g\",\"h\"],"
                    "\"as-user-extra\":{\"a/b\":[\"1\"]}"));
        static const char *const want[][2] = { { "Impersonate-User", "boss" },
                { "Impersonate-Uid", "7" }, { "Impersonate-Group", "g" },
                { "Impersonate-Group", "h" }, { "Impersonate-Extra-a%2Fb", "1" } };
        CHECK_INT(config.header_count, 5);
        for (size_t idx = 0; idx < 5; idx++) {
                CHECK_STR(config.headers[idx].name, want[idx][0]);
                CHECK_STR(config.headers[idx].value, want[idx][1]);
        }
        kube_config_clear(&config);
}

TEST(what_is_wrong_with_a_user_is_told_with_its_place)
{
        static const struct {
                const char *user, *why;
                enum err_code code;
        } cases[] = {
                { "", "users[name=u].user says no way to prove who it is", ERR_CREDENTIALS },
                { "\"token\":7", "users[name=u].user.token must be a string", ERR_INVALID },
                { "\"token\":\"hidden\\nhidden\"", "token has a control character", ERR_INVALID },
                { "\"auth-provider\":{\"name\":\"gcp\"}", "users[name=u].user.auth-provider",
                    ERR_UNSUPPORTED },
                { "\"client-key-data\":\"S0VZ\"", "client-certificate is missing", ERR_INVALID },
                { "\"client-certificate-data\":\"S0VZ\"", "client-key is missing", ERR_INVALID },
                { "\"password\":\"hidden\"", "username is missing", ERR_INVALID },
                { A_TOKEN ",\"username\":\"u\",\"password\":\"hidden\"", "both a token and",
                    ERR_INVALID },
                { A_TOKEN ",\"as-groups\":[\"g\"]", "user.as is missing", ERR_INVALID },
                { A_TOKEN ",\"as\":\"a\\r\\nb\"", "as has a control character", ERR_INVALID },
                { A_TOKEN ",\"as-groups\":[7]", "as-groups must be a list of strings",
                    ERR_INVALID },
                { "\"exec\":7", "users[name=u].user.exec must be a mapping", ERR_INVALID },
                { "\"exec\":{\"command\":\"x\"}", "users[name=u].user.exec.apiVersion is missing",
                    ERR_INVALID },
                { "\"exec\":{\"apiVersion\":\"client.authentication.k8s.io/v1alpha1\"}",
                    "users[name=u].user.exec.apiVersion is", ERR_UNSUPPORTED },
                { "\"exec\":{\"apiVersion\":\"client.authentication.k8s.io/v1\"}",
                    "users[name=u].user.exec.command is missing", ERR_INVALID },
                { "\"exec\":{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"command\":\"x\","
                  "\"env\":[{\"name\":\"a\"},{\"value\":\"hidden\"}]}",
                    "users[name=u].user.exec.env[1].name must be", ERR_INVALID },
                { "\"exec\":{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"command\":\"x\","
                  "\"interactiveMode\":\"Maybe\"}",
                    "exec.interactiveMode must be", ERR_INVALID },
        };

        for (size_t idx = 0; idx < sizeof(cases) / sizeof(*cases); idx++)
                parse_fails(one_config(A_SERVER, cases[idx].user), cases[idx].code, cases[idx].why);
}

TEST(a_plugin_with_a_slash_in_its_name_is_relative_to_the_file)
{
        parse(one_config(A_SERVER,
            "\"exec\":{\"apiVersion\":\"client.authentication.k8s.io/v1beta1\","
            "\"command\":\"bin/get\",\"args\":[\"-x\",\"y z\"],\"installHint\":\"brew\","
            "\"env\":[{\"name\":\"A\",\"value\":\"hidden=1\"}],\"interactiveMode\":\"Always\","
            "\"provideClusterInfo\":true}"));
        CHECK_STR(config.plugin->argv[0], "/etc/k/bin/get");
        CHECK_STR(config.plugin->argv[2], "y z");
        CHECK(config.plugin->argv[3] == NULL);
        CHECK_STR(config.plugin->env[0], "A=hidden=1");
        CHECK_STR(config.plugin->hint, "brew");
        CHECK(config.plugin->needs_terminal && config.plugin->wants_cluster);
        kube_config_clear(&config);
}

static int
parse_all(void *arg, struct err *err)
{
        struct kube_config got;
        int rc = kube_config_parse("conf", arg, strlen(arg), NULL, &got, err);

        if (rc == 0)
                kube_config_clear(&got);
        return rc;
}

TEST(each_allocation_may_fail)
{
        char *text = mem_strdup(
            one_config(A_SERVER ",\"certificate-authority-data\":\"REFUQQ==\",\"extensions\":"
                                "[{\"name\":\"client.authentication.k8s.io/exec\","
                                "\"extension\":{\"a\":1}}]",
                "\"username\":\"me\",\"password\":\"hidden-pass\",\"as\":\"b\",\"as-groups\":["
                "\"g\"],"
                "\"client-certificate-data\":\"Q0VSVA==\",\"client-key-data\":\"S0VZ\","
                "\"as-user-extra\":{\"a/b\":[\"1\"]},"
                "\"exec\":{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"command\":\"./x\","
                "\"args\":[\"y\"],\"env\":[{\"name\":\"a\",\"value\":\"b\"}]}"),
            NULL);

        test_each_allocation(parse_all, text);
        mem_free(text);
}
