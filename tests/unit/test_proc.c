#include "harness/test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "moonkeep/mem.h"
#include "moonkeep/proc.h"
#include "moonkeep/thread.h"
#include "moonkeep/time.h"

static struct proc_spec
shell(const char *const argv[4])
{
        return (struct proc_spec){ .argv = argv, .output_max = 1024 * 1024, .stall_ms = 20000 };
}

#define SHELL(script)                                                                              \
        (const char *const[])                                                                      \
        {                                                                                          \
                "sh", "-c", script, NULL                                                           \
        }

struct trigger {
        struct cancel *token;
        const char *when_exists;
};

/* Sets the token once the command has said, by a file, that it is under way. */
static void *
trigger_later(void *arg)
{
        struct trigger *trigger = arg;

        for (int tries = 0; tries < 1000 && access(trigger->when_exists, F_OK) != 0; tries++)
                usleep(10000);
        cancel_trigger(trigger->token);
        return NULL;
}

static int
run_cancelled(struct proc_spec *spec, const char *when_exists, struct err *err)
{
        struct cancel *token = cancel_new(NULL, err);
        struct trigger trigger = { token, when_exists };
        struct proc_result result;
        pthread_t thread;

        CHECK_OK(thread_start(&thread, "trigger", trigger_later, &trigger, err), *err);
        int rc = proc_run(spec, &result, token, err);
        thread_join(thread);
        proc_result_free(&result);
        cancel_unref(token);
        return rc;
}

static pid_t
read_pid(const char *path)
{
        FILE *file = fopen(path, "r");
        int pid = 0;

        CHECK(file != NULL);
        CHECK(fscanf(file, "%d", &pid) == 1);
        fclose(file);
        return pid;
}

/* Killed processes of others are gone once init has reaped them. */
static bool
is_gone(pid_t pid)
{
        char path[64];
        char state = 'Z';

        for (int tries = 0; tries < 200; tries++) {
                snprintf(path, sizeof(path), "/proc/%d/stat", pid);
                FILE *file = fopen(path, "r");
                if (file == NULL)
                        return true;
                if (fscanf(file, "%*d %*s %c", &state) != 1)
                        state = '?';
                fclose(file);
                if (state == 'Z')
                        return true;
                usleep(10000);
        }
        return false;
}

TEST(gives_back_both_outputs_and_the_exit_status)
{
        struct proc_spec spec = shell(SHELL("echo to-out; echo to-err >&2; exit 7"));
        struct proc_result result;
        struct err err;

        CHECK_OK(proc_run(&spec, &result, NULL, &err), err);
        CHECK_INT(result.status, 7);
        CHECK_STR(result.out.data, "to-out\n");
        CHECK_STR(result.err_out.data, "to-err\n");
        proc_result_free(&result);
}

TEST(says_128_and_the_signal_that_ended_it)
{
        struct proc_spec spec = shell(SHELL("kill -9 $$"));
        struct proc_result result;
        struct err err;

        CHECK_OK(proc_run(&spec, &result, NULL, &err), err);
        CHECK_INT(result.status, 128 + 9);
        proc_result_free(&result);
}

TEST(names_a_program_that_does_not_exist)
{
        const char *argv[] = { "moonkeep-has-no-such-program", NULL };
        struct proc_spec spec = { .argv = argv, .output_max = 100, .stall_ms = -1 };
        struct proc_result result;
        struct err err;

        /* A directory in it that may not be searched would be the reason instead. */
        setenv("PATH", "/usr/bin:/bin", 1);
        CHECK_ERR(proc_run(&spec, &result, NULL, &err) < 0, err, ERR_NOT_FOUND,
            "\"moonkeep-has-no-such-program\"");
        CHECK(strstr(err.hint, "PATH") != NULL);
        proc_result_free(&result);
}

TEST(names_a_program_that_may_not_be_run)
{
        const char *path = test_path("plain");
        const char *argv[] = { path, NULL };
        struct proc_spec spec = { .argv = argv, .output_max = 100, .stall_ms = -1 };
        struct proc_result result;
        struct err err;

        close(open(path, O_CREAT | O_WRONLY, 0600));
        CHECK_ERR(proc_run(&spec, &result, NULL, &err) < 0, err, ERR_PERMISSION, path);
        proc_result_free(&result);
}

TEST(runs_in_the_directory_and_names_a_missing_one)
{
        struct proc_spec spec = shell(SHELL("pwd -P; echo x > made-here"));
        struct proc_result result;
        struct err err;

        spec.cwd = test_dir();
        CHECK_OK(proc_run(&spec, &result, NULL, &err), err);
        CHECK_INT(access(test_path("made-here"), F_OK), 0);
        proc_result_free(&result);

        spec.cwd = test_path("missing");
        CHECK_ERR(proc_run(&spec, &result, NULL, &err) < 0, err, ERR_NOT_FOUND, "missing");
        proc_result_free(&result);
}

TEST(adds_to_the_environment_and_replaces_what_is_there)
{
        const char *const env[] = { "MOONKEEP_A=new", "MOONKEEP_B=two words", NULL };
        struct proc_spec spec = shell(SHELL("echo \"$MOONKEEP_A/$MOONKEEP_B/$MOONKEEP_AB\""));
        struct proc_result result;
        struct err err;

        setenv("MOONKEEP_A", "old", 1);
        setenv("MOONKEEP_AB", "kept", 1);
        spec.env = env;
        CHECK_OK(proc_run(&spec, &result, NULL, &err), err);
        CHECK_STR(result.out.data, "new/two words/kept\n");
        proc_result_free(&result);
}

TEST(has_an_empty_input_when_none_is_given)
{
        struct proc_spec spec = shell(SHELL("cat; echo end"));
        struct proc_result result;
        struct err err;

        CHECK_OK(proc_run(&spec, &result, NULL, &err), err);
        CHECK_STR(result.out.data, "end\n");
        proc_result_free(&result);
}

TEST(passes_an_input_larger_than_a_pipe_through)
{
        size_t len = 300000;
        struct proc_spec spec = shell(SHELL("cat"));
        struct proc_result result;
        struct err err;

        char *input = mem_alloc(len, &err);
        for (size_t pos = 0; pos < len; pos++)
                input[pos] = (char)(pos * 7 / 3);
        spec.input = input;
        spec.input_len = len;
        CHECK_OK(proc_run(&spec, &result, NULL, &err), err);
        CHECK_INT(result.out.len, len);
        CHECK(memcmp(result.out.data, input, len) == 0);
        proc_result_free(&result);

        /* The same to a command that reads nothing of it. */
        spec.argv = SHELL("exec true");
        CHECK_OK(proc_run(&spec, &result, NULL, &err), err);
        CHECK_INT(result.status, 0);
        proc_result_free(&result);
        mem_free(input);
}

TEST(ends_a_command_that_writes_more_than_the_bound)
{
        struct proc_spec spec = shell(SHELL("echo $$ > \"$PIDFILE\"; exec cat /dev/zero"));
        char env_pid[512];
        const char *env[] = { env_pid, NULL };
        struct proc_result result;
        struct err err;

        snprintf(env_pid, sizeof(env_pid), "PIDFILE=%s", test_path("pid"));
        spec.env = env;
        spec.output_max = 100000;
        CHECK_ERR(
            proc_run(&spec, &result, NULL, &err) < 0, err, ERR_TOO_BIG, "the output of \"sh\"");
        CHECK(result.out.len <= 100000);
        CHECK(is_gone(read_pid(test_path("pid"))));
        proc_result_free(&result);
}

TEST(does_not_wait_for_a_daemon_that_holds_the_output)
{
        struct proc_spec spec =
            shell(SHELL("setsid sh -c 'echo $$ > \"$0\"; exec sleep 60' \"$PIDFILE\" & "
                        "while [ ! -s \"$PIDFILE\" ]; do sleep 0.01; done; echo done"));
        char env_pid[512];
        const char *env[] = { env_pid, NULL };
        struct proc_result result;
        struct err err;
        int64_t start = time_mono_ms();

        snprintf(env_pid, sizeof(env_pid), "PIDFILE=%s", test_path("pid"));
        spec.env = env;
        CHECK_OK(proc_run(&spec, &result, NULL, &err), err);
        CHECK_STR(result.out.data, "done\n");
        CHECK(time_mono_ms() - start < 15000);
        /* It stays, as daemons do; this test ends it. */
        pid_t pid = read_pid(test_path("pid"));
        CHECK_INT(kill(pid, 0), 0);
        kill(pid, SIGKILL);
        proc_result_free(&result);
}

TEST(cancel_ends_the_command_and_its_children)
{
        struct proc_spec spec =
            shell(SHELL("sleep 60 & echo $! > \"$DIR/child\"; echo $$ > \"$DIR/self\"; "
                        ": > \"$DIR/under-way\"; wait"));
        char env_dir[512];
        const char *env[] = { env_dir, NULL };
        struct err err;
        int64_t start = time_mono_ms();

        snprintf(env_dir, sizeof(env_dir), "DIR=%s", test_dir());
        spec.env = env;
        CHECK_ERR(run_cancelled(&spec, test_path("under-way"), &err) < 0, err, ERR_CANCELLED, "");
        CHECK(time_mono_ms() - start < 4500);
        CHECK(is_gone(read_pid(test_path("self"))));
        CHECK(is_gone(read_pid(test_path("child"))));
}

TEST(cancel_kills_a_command_that_ignores_the_request)
{
        struct proc_spec spec = shell(SHELL("trap '' TERM; echo $$ > \"$DIR/self\"; "
                                            ": > \"$DIR/under-way\"; while :; do sleep 1; done"));
        char env_dir[512];
        const char *env[] = { env_dir, NULL };
        struct err err;
        int64_t start = time_mono_ms();

        snprintf(env_dir, sizeof(env_dir), "DIR=%s", test_dir());
        spec.env = env;
        CHECK_ERR(run_cancelled(&spec, test_path("under-way"), &err) < 0, err, ERR_CANCELLED, "");
        CHECK(time_mono_ms() - start >= 4500);
        CHECK(time_mono_ms() - start < 15000);
        CHECK(is_gone(read_pid(test_path("self"))));
}

TEST(does_not_start_when_cancelled_before)
{
        struct proc_spec spec = shell(SHELL(": > \"$FILE\""));
        char env_file[512];
        const char *env[] = { env_file, NULL };
        struct proc_result result;
        struct err err;
        struct cancel *token = cancel_new(NULL, &err);

        snprintf(env_file, sizeof(env_file), "FILE=%s", test_path("made"));
        spec.env = env;
        cancel_trigger(token);
        CHECK_ERR(proc_run(&spec, &result, token, &err) < 0, err, ERR_CANCELLED, "");
        CHECK(access(test_path("made"), F_OK) != 0);
        proc_result_free(&result);
        cancel_unref(token);
}

TEST(ends_a_command_that_is_silent_for_too_long)
{
        struct proc_spec spec = shell(SHELL("exec sleep 60"));
        struct proc_result result;
        struct err err;

        spec.stall_ms = 100;
        CHECK_ERR(proc_run(&spec, &result, NULL, &err) < 0, err, ERR_TIMEOUT, "\"sh\"");
        proc_result_free(&result);
}

TEST(output_counts_as_progress)
{
        struct proc_spec spec = shell(SHELL("for i in 1 2 3 4 5 6; do echo $i; sleep 0.2; done"));
        struct proc_result result;
        struct err err;

        spec.stall_ms = 900;
        CHECK_OK(proc_run(&spec, &result, NULL, &err), err);
        CHECK_STR(result.out.data, "1\n2\n3\n4\n5\n6\n");
        proc_result_free(&result);
}

TEST(inherits_no_descriptor_and_no_signal_setting)
{
        struct proc_spec spec =
            shell(SHELL("ls /proc/self/fd | wc -l; grep -E '^Sig(Blk|Ign)' /proc/self/status"));
        struct proc_result result;
        struct err err;
        sigset_t block;
        unsigned descriptors;
        unsigned long blocked, ignored;
        int open_one = open("/dev/null", O_RDONLY);

        signal(SIGPIPE, SIG_IGN);
        sigemptyset(&block);
        sigaddset(&block, SIGTERM);
        sigprocmask(SIG_BLOCK, &block, NULL);
        CHECK_OK(proc_run(&spec, &result, NULL, &err), err);
        CHECK_INT(
            sscanf(result.out.data, "%u SigBlk: %lx SigIgn: %lx", &descriptors, &blocked, &ignored),
            3);
        CHECK_INT(descriptors, 4); /* 0, 1, 2, and the directory that ls reads */
        CHECK_INT(blocked, 0);
        CHECK_INT(ignored & 0x7fffffff, 0); /* 32 and 33 belong to the C library */
        proc_result_free(&result);
        close(open_one);
}

TEST(leaves_no_zombie)
{
        struct proc_spec spec = shell(SHELL("exit 0"));
        struct proc_result result;
        struct err err;

        CHECK_OK(proc_run(&spec, &result, NULL, &err), err);
        CHECK(waitpid(-1, NULL, WNOHANG) < 0);
        proc_result_free(&result);
}

static int
run_simple(void *arg, struct err *err)
{
        struct proc_spec spec = shell(SHELL("echo hello"));
        struct proc_result result;

        (void)arg;
        int rc = proc_run(&spec, &result, NULL, err);
        proc_result_free(&result);
        return rc;
}

TEST(survives_each_failing_allocation)
{
        test_each_allocation(run_simple, NULL);
}
