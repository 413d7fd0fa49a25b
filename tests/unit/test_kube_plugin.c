/*
 * Credential plugins, as small shell scripts.
 */
#include "../../src/kube/kube_plugin.h"
#include "harness/kube_test.h"
#include "moonkeep/buf.h"
#include "moonkeep/time.h"

#define V1 "client.authentication.k8s.io/v1"
#define ANSWER(status)                                                                             \
        "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"status\":" status "}"

static struct kube_config config;
static struct kube_credential got;

/* The authority of now, and not that of the configuration. */
static const struct buf authority = { .data = "NOW", .len = 3 };

/* A configuration whose plugin is this script; more: members of "exec". */
static void
plugin(const char *script, const char *more)
{
        char user[4096];
        struct err err;

        clean_environment();
        write_file("plugin", script);
        CHECK(chmod(test_path("plugin"), 0755) == 0);
        snprintf(user, sizeof(user),
            "\"exec\":{\"apiVersion\":\"" V1 "\",\"command\":\"./plugin\",\"args\":[\"a b\"]%s}",
            more);
        const char *text = one_config(A_SERVER ",\"certificate-authority-data\":\"Q0E=\"", user);
        CHECK_OK(
            kube_config_parse(test_path("conf"), text, strlen(text), NULL, &config, &err), err);
}

static void
run(void)
{
        struct err err;

        CHECK_OK(kube_plugin_run(&config, &authority, &got, NULL, &err), err);
}

static struct err
run_fails(enum err_code code, const char *why)
{
        struct err err;

        CHECK_ERR(kube_plugin_run(&config, &authority, &got, NULL, &err) < 0, err, code, why);
        check_not_shown(&err);
        CHECK(got.token == NULL && got.cert_pem == NULL);
        kube_config_clear(&config);
        return err;
}

TEST(a_token_and_its_end_are_taken)
{
        int64_t want;
        struct err err;

        plugin(
            "#!/bin/sh\n[ \"$1\" = 'a b' ] && [ \"$A\" = b ] && cat <<E\n" ANSWER(
                "{\"token\":\"hidden-t\",\"expirationTimestamp\":\"2026-11-21T02:00:00Z\"}") "\nE"
                                                                                             "\n",
            ",\"env\":[{\"name\":\"A\",\"value\":\"b\"}]");
        run();
        CHECK_STR(secret_bytes(got.token, NULL), "hidden-t");
        CHECK_OK(time_parse("2026-11-21T02:00:00Z", &want, &err), err);
        CHECK_INT(got.expires_ms, want);
        kube_credential_clear(&got);
        kube_config_clear(&config);
}

TEST(a_plugin_learns_of_the_cluster_what_it_asked_for)
{
        plugin("#!/bin/sh\nprintf '%s' \"$KUBERNETES_EXEC_INFO\" >\"${0%plugin}info\"\n"
               "read -r x && exit 9\ncat <<E\n" ANSWER("{\"token\":\"hidden-t\"}") "\nE\n",
            ",\"provideClusterInfo\":true");
        run();
        kube_credential_clear(&got);
        char info[4096] = "";
        FILE *file = fopen(test_path("info"), "re");
        CHECK(file != NULL && fread(info, 1, sizeof(info) - 1, file) > 0);
        fclose(file);
        CHECK_STR(info, "{\"apiVersion\":\"" V1 "\",\"kind\":\"ExecCredential\",\"spec\":{"
                        "\"cluster\":{\"certificate-authority-data\":\"Tk9X\","
                        "\"server\":\"https://127.0.0.1:1\"},\"interactive\":false}}");
        kube_config_clear(&config);
}

TEST(what_a_failing_plugin_says_is_told_without_its_secrets)
{
        struct err err;
        struct secret *known = secret_new("hidden-known", 12, &err);

        plugin("#!/bin/sh\nprintf 'log in\\nfirst, hidden-known' >&2\nexit 3\n", "");
        run_fails(ERR_CREDENTIALS, "ended with status 3: log in first, ************");
        secret_unref(known);
}

TEST(a_plugin_that_is_not_there_is_told_with_its_hint)
{
        plugin("", ",\"installHint\":\"brew install\\nit\"");
        CHECK(unlink(test_path("plugin")) == 0);
        struct err err = run_fails(ERR_CREDENTIALS, "cannot get credentials for user \"u\": ");
        CHECK_STR(err.hint, "brew install it");
}

TEST(a_plugin_that_needs_a_terminal_is_not_started)
{
        plugin("#!/bin/sh\ntouch \"${0%plugin}started\"\n", ",\"interactiveMode\":\"Always\"");
        run_fails(ERR_CREDENTIALS, "needs a terminal");
        CHECK(access(test_path("started"), F_OK) != 0);
}

TEST(endless_output_has_a_bound)
{
        plugin("#!/bin/sh\nexec yes hidden\n", "");
        run_fails(ERR_CREDENTIALS, "the output of");
}

TEST(an_answer_of_another_form_is_refused)
{
        static const struct {
                const char *text, *why;
        } cases[] = {
                { "", "it is no JSON" },
                { "hidden", "it is no JSON" },
                { "[]", "its kind is not ExecCredential" },
                { "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "beta1\"}",
                    "its apiVersion is \"" V1 "beta1\", and not \"" V1 "\"" },
                { "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\"}", "it has no status" },
                { ANSWER("{}"), "neither a token nor a certificate" },
                { ANSWER("{\"token\":7}"), "status.token is no string" },
                { ANSWER("{\"token\":\"hidden\\nhidden\"}"), "control character" },
                { ANSWER("{\"clientCertificateData\":\"x\"}"), "without its key" },
                { ANSWER("{\"clientKeyData\":\"hidden\"}"), "a key alone" },
                { ANSWER("{\"token\":\"hidden\",\"expirationTimestamp\":\"soon\"}"), "is no time" },
        };

        for (size_t idx = 0; idx < sizeof(cases) / sizeof(*cases); idx++) {
                struct err err;
                int rc =
                    kube_plugin_answer(cases[idx].text, strlen(cases[idx].text), V1, &got, &err);
                CHECK_ERR(rc < 0, err, ERR_CREDENTIALS, cases[idx].why);
                check_not_shown(&err);
                CHECK(got.token == NULL);
        }
}

static int
make_info(void *arg, struct err *err)
{
        struct buf info;

        (void)arg;
        buf_init(&info, 65536);
        int rc = kube_plugin_info(&config, &authority, &info, err);
        buf_free(&info);
        return rc;
}

/*
 * Not of the answer: jansson 2.14 reads past the end of "ExecCredential" when the
 * one allocation fails that its closing quote needs.
 */
TEST(each_allocation_of_what_a_plugin_is_told_may_fail)
{
        plugin("", ",\"provideClusterInfo\":true");
        test_each_allocation(make_info, NULL);
        kube_config_clear(&config);
}
