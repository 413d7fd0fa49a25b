#include "harness/far_test.h"
#include "harness/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "moonkeep/far_stream.h"
#include "moonkeep/mem.h"
#include "moonkeep/secret.h"

#define STALL_MS 30000
#define OUTPUT_MAX ((size_t)1024 * 1024)

static struct far_shell *shell;
static struct proc_result result;

static int
ask_with(
    const char *script, const char *const *args, const char *input, size_t len, struct err *err)
{
        return far_shell_run(shell, script, args, input, len, OUTPUT_MAX, &result, NULL, err);
}

static void
ask(const char *script, const char *const *args, const char *input, int status, const char *out,
    const char *err_out)
{
        struct err err;

        CHECK_OK(ask_with(script, args, input, input != NULL ? strlen(input) : 0, &err), err);
        CHECK_STR(result.out.data != NULL ? result.out.data : "", out);
        CHECK_STR(result.err_out.data != NULL ? result.err_out.data : "", err_out);
        CHECK_INT(result.status, status);
        proc_result_free(&result);
}

static void
with_each_shell(void (*fn)(struct far_host *host, const char *name))
{
        for (const char *const *name = far_test_shells(); *name != NULL; name++) {
                struct far_host *host = far_test_host(*name, NULL, NULL);
                struct err err;
                fprintf(stderr, "# %s\n", *name);
                shell = far_shell_open(host, STALL_MS, NULL, &err);
                CHECK_PTR(shell, err);
                fn(host, *name);
                far_shell_free(shell);
                far_host_unref(host);
        }
}

static void
many_questions(struct far_host *host, const char *name)
{
        static const char *const odd[] = { "a b", "", "-n", "it's\n\\ \"$HOME\" `x` *",
                "\xff\xfe\n\n", "tail ", NULL };

        (void)host;
        (void)name;
        ask("echo one", NULL, NULL, 0, "one\n", "");
        ask("echo two >&2; exit 3", NULL, NULL, 3, "", "two\n");
        ask("false", NULL, NULL, 1, "", "");
        ask("for a; do printf '[%s]' \"$a\"; done", odd, NULL, 0,
            "[a b][][-n][it's\n\\ \"$HOME\" `x` *][\xff\xfe\n\n][tail ]", "");
        ask("cat; exit 5", NULL, "some\ninput", 5, "some\ninput", "");
        ask("cat", NULL, NULL, 0, "", "");
        ask("exit 9", NULL, "input that nobody reads", 9, "", "");
        ask("{ sh -c 'kill -9 $$'; } 2>/dev/null; echo $?", NULL, NULL, 0, "137\n", "");
        ask("echo still here", NULL, NULL, 0, "still here\n", "");
        ask("printf 'no newline'", NULL, NULL, 0, "no newline", "");
        ask("printf '\\n\\n'; printf '\\n' >&2", NULL, NULL, 0, "\n\n", "\n");
}

TEST(one_shell_answers_many_questions)
{
        with_each_shell(many_questions);
}

static void
broken_scripts(struct far_host *host, const char *name)
{
        struct err err;

        (void)host;
        (void)name;
        CHECK_OK(ask_with("if then fi (", NULL, NULL, 0, &err), err);
        CHECK(result.status != 0);
        CHECK(result.err_out.len > 0);
        proc_result_free(&result);
        CHECK_OK(ask_with("no-such-command-here", NULL, NULL, 0, &err), err);
        CHECK_INT(result.status, 127);
        proc_result_free(&result);
        CHECK_OK(ask_with("kill -9 $(read -r p _ </proc/self/stat; echo $p) 2>/dev/null; exit 4",
                     NULL, NULL, 0, &err),
            err);
        CHECK_INT(result.status, 4);
        proc_result_free(&result);
        ask("echo and on", NULL, NULL, 0, "and on\n", "");
}

TEST(broken_scripts_break_nothing)
{
        with_each_shell(broken_scripts);
}

static void
large_input(struct far_host *host, const char *name)
{
        const size_t len = 700001;
        char *data = malloc(len);
        struct err err;

        (void)host;
        (void)name;
        CHECK(data != NULL);
        for (size_t pos = 0; pos < len; pos++)
                data[pos] = (char)(pos * 2654435761u >> 11);
        CHECK_OK(ask_with("cat", NULL, data, len, &err), err);
        CHECK_INT(result.out.len, len);
        CHECK(memcmp(result.out.data, data, len) == 0);
        proc_result_free(&result);
        ask("exit 0", NULL, NULL, 0, "", "");
        free(data);
}

TEST(input_of_any_bytes_comes_back)
{
        with_each_shell(large_input);
}

TEST(as_much_comes_back_as_goes_in)
{
        struct far_host *host = far_process_host(NULL);
        struct err err;

        CHECK(host != NULL);
        shell = far_shell_open(host, STALL_MS, NULL, &err);
        CHECK_PTR(shell, err);
        far_test_much(shell);
        far_shell_free(shell);
        far_host_unref(host);
}

TEST(output_has_a_bound)
{
        struct far_host *host = far_test_host("dash", NULL, NULL);
        struct err err;

        shell = far_shell_open(host, STALL_MS, NULL, &err);
        CHECK_PTR(shell, err);
        CHECK_ERR(far_shell_run(shell, "printf 123456", NULL, NULL, 0, 5, &result, NULL, &err) < 0,
            err, ERR_TOO_BIG, "the output");
        CHECK_ERR(far_shell_run(shell, "true", NULL, NULL, 0, 5, &result, NULL, &err) < 0, err,
            ERR_INTERNAL, "broke before");
        far_shell_free(shell);
        shell = far_shell_open(host, STALL_MS, NULL, &err);
        CHECK_PTR(shell, err);
        CHECK_ERR(far_shell_run(shell, "yes", NULL, NULL, 0, 5, &result, NULL, &err) < 0, err,
            ERR_TOO_BIG, "the output");
        far_shell_free(shell);
        far_host_unref(host);
}

static void
run_commands(struct far_host *host, const char *name)
{
        static const char value[] = "it's\nnext \\ line ";
        const char *const show[] = { "/bin/sh", "-c",
                "printf '%s|%s|%s' \"$A\" \"$B_2\" \"$PWD\"; exit 7", NULL };
        const char *const env_of[] = { "env", NULL };
        const char *const missing[] = { "no-such-program-here", NULL };
        const char *const killed[] = { "sh", "-c", "kill -9 $$", NULL };
        const char *const cat[] = { "cat", NULL };
        const char *const slow[] = { "sh", "-c",
                "for i in 1 2 3 4 5 6; do sleep 0.4; head -c 300000 >/dev/null; done", NULL };
        struct far_env env[] = { { "A", value, NULL }, { "B_2", NULL, NULL } };
        struct far_run_spec spec = {
                .argv = show, .env = env, .env_count = 2, .cwd = "/", .output_max = OUTPUT_MAX
        };
        struct err err;

        fprintf(stderr, "# %s\n", name);
        env[1].secret = secret_new("s3cr'et", 7, &err);
        CHECK_PTR(env[1].secret, err);
        CHECK_OK(far_run(host, &spec, &result, NULL, &err), err);
        CHECK_INT(result.status, 7);
        CHECK_STR(result.out.data, "it's\nnext \\ line |s3cr'et|/");
        proc_result_free(&result);

        /* Nothing of ours is in its environment. */
        setenv("s", "1", 1);
        spec = (struct far_run_spec){ .argv = env_of, .output_max = OUTPUT_MAX };
        CHECK_OK(far_run(host, &spec, &result, NULL, &err), err);
        CHECK(strstr(result.out.data, "_mk") == NULL);
        proc_result_free(&result);

        spec.argv = missing;
        CHECK_ERR(far_run(host, &spec, &result, NULL, &err) < 0, err, ERR_NOT_FOUND,
            "test host has no program \"no-such-program-here\"");
        proc_result_free(&result);
        spec.argv = cat;
        spec.cwd = "/no/such/dir";
        CHECK_ERR(far_run(host, &spec, &result, NULL, &err) < 0, err, ERR_NOT_FOUND,
            "cannot go to the directory \"/no/such/dir\"");
        proc_result_free(&result);
        spec.cwd = NULL;
        spec.input = "a\0b";
        spec.input_len = 3;
        CHECK_OK(far_run(host, &spec, &result, NULL, &err), err);
        CHECK_INT(result.out.len, 3);
        CHECK(memcmp(result.out.data, "a\0b", 3) == 0);
        proc_result_free(&result);
        /* Who takes input, however slowly, is not silent. */
        spec.argv = slow;
        spec.input_len = 6 * 300000;
        spec.input = calloc(1, spec.input_len);
        spec.stall_ms = 1000;
        CHECK_OK(far_run(host, &spec, &result, NULL, &err), err);
        CHECK_INT(result.status, 0);
        proc_result_free(&result);
        free((void *)(uintptr_t)spec.input);
        spec = (struct far_run_spec){ .argv = killed, .output_max = OUTPUT_MAX };
        CHECK_OK(far_run(host, &spec, &result, NULL, &err), err);
        CHECK_INT(result.status, 137);
        proc_result_free(&result);
        secret_unref(env[1].secret);
}

TEST(commands_get_their_environment_directory_and_input)
{
        for (const char *const *name = far_test_shells(); *name != NULL; name++) {
                struct far_host *host = far_test_host(*name, NULL, NULL);
                run_commands(host, *name);
                far_host_unref(host);
        }
}

TEST(a_command_without_a_shell_runs_bare)
{
        const char *const argv[] = { "echo", "it is", NULL };
        struct far_host *host = far_test_host("dash", NULL, NULL);
        struct far_run_spec spec = { .argv = argv, .bare = true, .output_max = 100 };
        struct err err;

        CHECK_OK(far_run(host, &spec, &result, NULL, &err), err);
        CHECK_STR(result.out.data, "it is\n");
        CHECK_INT(result.status, 0);
        proc_result_free(&result);
        spec.cwd = "/";
        CHECK_ERR(
            far_run(host, &spec, &result, NULL, &err) < 0, err, ERR_UNSUPPORTED, "cannot run");
        proc_result_free(&result);
        far_host_unref(host);
}

TEST(a_silent_command_is_given_up)
{
        const char *const argv[] = { "sleep", "86401", NULL };
        struct far_host *host = far_test_host("dash", NULL, NULL);
        struct far_run_spec spec = { .argv = argv, .stall_ms = 200, .output_max = 100 };
        struct err err;

        CHECK_ERR(far_run(host, &spec, &result, NULL, &err) < 0, err, ERR_TIMEOUT,
            "neither wrote nor ended");
        proc_result_free(&result);
        CHECK(!far_test_left("86401"));
        far_host_unref(host);
}

TEST(a_host_without_a_shell_is_told)
{
        struct far_host *host = far_test_host("/no/such/sh", NULL, NULL);
        struct err err;

        CHECK_ERR(far_shell_open(host, STALL_MS, NULL, &err) == NULL, err, ERR_NOT_FOUND,
            "cannot start a shell");
        far_host_unref(host);
}

TEST(nothing_runs_on_when_we_are_killed)
{
        for (const char *const *name = far_test_shells(); *name != NULL; name++) {
                char seconds[16];
                snprintf(seconds, sizeof(seconds), "8640%d", (int)(getpid() % 100000));
                const char *const argv[] = { "sh", "-c",
                        "sleep \"$1\" & trap '' TERM; sleep \"$1\"; sleep \"$1\"", "x", seconds,
                        NULL };
                struct far_run_spec spec = { .argv = argv, .output_max = 100 };
                fprintf(stderr, "# %s\n", *name);
                pid_t child = fork();
                if (child == 0) {
                        struct err err;
                        struct far_host *host = far_test_host(*name, NULL, NULL);
                        (void)far_run(host, &spec, &result, NULL, &err);
                        _exit(0);
                }
                usleep(300000);
                CHECK_INT(kill(child, SIGKILL), 0);
                CHECK_INT(waitpid(child, NULL, 0), child);
                CHECK(!far_test_left(seconds));
        }
}

static int
run_once(void *arg, struct err *err)
{
        const char *const argv[] = { "echo", "x", NULL };
        const struct far_env env = { "A", "b", NULL };
        struct far_run_spec spec = { .argv = argv,
                .env = &env,
                .env_count = 1,
                .cwd = "/",
                .input = "i",
                .input_len = 1,
                .output_max = 100 };
        struct far_host *host = arg;

        int rc = far_run(host, &spec, &result, NULL, err);
        proc_result_free(&result);
        return rc;
}

TEST(survives_each_failed_allocation)
{
        struct far_host *host = far_test_host("dash", NULL, NULL);

        test_each_allocation(run_once, host);
        far_host_unref(host);
}
