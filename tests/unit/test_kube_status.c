#include "../../src/kube/kube_status.h"
#include "harness/kube_test.h"
#include "moonkeep/kube.h"

#define FAILURE "{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":"

TEST(only_an_explicit_success_or_exit_code_ends_well)
{
        static const struct {
                const char *text;
                int status;
        } cases[] = {
                { "{\"metadata\":{},\"status\":\"Success\"}", 0 },
                { "{\"kind\":\"Status\",\"status\":\"Success\"}\n", 0 },
                { FAILURE "[{\"reason\":\"ExitCode\",\"message\":\"7\"}]}}", 7 },
                { FAILURE "[{\"reason\":\"x\"},{\"reason\":\"ExitCode\",\"message\":\"137\"}]}}",
                    137 },
        };

        for (size_t idx = 0; idx < sizeof(cases) / sizeof(*cases); idx++) {
                struct err err;
                int status = -1;
                CHECK_OK(kube_status_judge(cases[idx].text, strlen(cases[idx].text), &status, &err),
                    err);
                CHECK_INT(status, cases[idx].status);
        }
}

TEST(whatever_else_the_error_channel_says_is_an_error)
{
        static const struct {
                const char *text, *why;
                enum err_code code;
        } cases[] = {
                { "", "without the container's status", ERR_TRUNCATED },
                { "x", "is no JSON", ERR_PROTOCOL },
                { "{\"status\":\"Succ", "is no JSON", ERR_PROTOCOL },
                { "{\"status\":\"Success\"}{}", "is no JSON", ERR_PROTOCOL },
                { "{}", "neither Success nor Failure", ERR_PROTOCOL },
                { "[]", "neither Success nor Failure", ERR_PROTOCOL },
                { "7", "neither Success nor Failure", ERR_PROTOCOL },
                { "{\"status\":\"success\"}", "neither Success nor Failure", ERR_PROTOCOL },
                { "{\"status\":true}", "neither Success nor Failure", ERR_PROTOCOL },
                { "{\"kind\":\"Pod\",\"status\":\"Success\"}", "of another kind", ERR_PROTOCOL },
                { FAILURE "[]}}", "without an exit code", ERR_PROTOCOL },
                { FAILURE "[{\"reason\":\"ExitCode\",\"message\":\"0\"}]}}", "without an exit code",
                    ERR_PROTOCOL },
                { FAILURE "[{\"reason\":\"ExitCode\",\"message\":\"7x\"}]}}",
                    "without an exit code", ERR_PROTOCOL },
                { FAILURE "[{\"reason\":\"ExitCode\",\"message\":7}]}}", "without an exit code",
                    ERR_PROTOCOL },
                { FAILURE "[{\"reason\":\"ExitCode\",\"message\":\"9999999999\"}]}}",
                    "without an exit code", ERR_PROTOCOL },
                { "{\"status\":\"Failure\"}", "failure of no reason", ERR_PROCESS },
                { "{\"status\":\"Failure\",\"reason\":\"InternalError\",\"message\":\"Internal "
                  "error occurred: exec: \\\"tar\\\": executable file not found in $PATH\"}",
                    "exec: \"tar\": executable file not found", ERR_NOT_FOUND },
                { "{\"status\":\"Failure\",\"message\":\"container not found (\\\"p\\\")\"}",
                    "container not found", ERR_NOT_FOUND },
                { "{\"status\":\"Failure\",\"message\":\"exec /x: permission denied\"}",
                    "permission denied", ERR_PERMISSION },
                { "{\"status\":\"Failure\",\"message\":\"Internal error occurred: error executing "
                  "command in container: failed to exec: OCI runtime exec failed: exec failed: "
                  "unable to start container process: exec: \\\"x\\\": no such file or "
                  "directory: unknown\"}",
                    "exec: \"x\": no such file or directory", ERR_NOT_FOUND },
                { "{\"status\":\"Failure\",\"message\":\"the\\nsky\\u0000 fell\"}", "the sky fell",
                    ERR_PROCESS },
        };

        for (size_t idx = 0; idx < sizeof(cases) / sizeof(*cases); idx++) {
                struct err err;
                int status = -1;
                int rc = kube_status_judge(cases[idx].text, strlen(cases[idx].text), &status, &err);
                CHECK_ERR(rc < 0, err, cases[idx].code, cases[idx].why);
                check_not_shown(&err);
                CHECK_INT(status, -1);
        }
}

TEST(a_container_that_is_not_there_yet_may_be_later)
{
        static const char text[] =
            "{\"status\":\"Failure\",\"message\":\"container not found (\\\"p\\\")\"}";
        struct err err;
        int status;

        CHECK(kube_status_judge(text, strlen(text), &status, &err) < 0);
        CHECK(err.retryable);
}

static struct err
answer_of(int status, const char *body, const char *location)
{
        struct http_header header = { .name = (char *)(uintptr_t) "location",
                .value = (char *)(uintptr_t)location };
        struct http_answer answer = {
                .status = status, .headers = &header, .header_count = location != NULL
        };
        struct err err;

        answer.body.data = (char *)(uintptr_t)body;
        answer.body.len = body != NULL ? strlen(body) : 0;
        CHECK(kube_status_error("cannot get pods/x", &answer, &err) < 0);
        CHECK_INT(err.http, status);
        check_not_shown(&err);
        return err;
}

TEST(an_answer_becomes_the_error_that_it_says)
{
        static const struct {
                int http;
                const char *body, *message;
                enum err_code code;
                bool retryable;
        } cases[] = {
                { 401, "{\"kind\":\"Status\",\"message\":\"Unauthorized\"}",
                    "cannot get pods/x: Unauthorized", ERR_CREDENTIALS, false },
                { 403, "{\"message\":\"pods \\\"x\\\" is forbidden: no\"}",
                    "cannot get pods/x: pods \"x\" is forbidden: no", ERR_PERMISSION, false },
                { 404, "{\"message\":\"pods \\\"x\\\" not found\"}",
                    "cannot get pods/x: pods \"x\" not found", ERR_NOT_FOUND, false },
                { 404, "404 page not found\n",
                    "cannot get pods/x: the server answered 404: 404 page not found", ERR_NOT_FOUND,
                    false },
                { 409, "{\"reason\":\"AlreadyExists\",\"message\":\"m\"}", "cannot get pods/x: m",
                    ERR_EXISTS, false },
                { 409, "{\"reason\":\"Conflict\",\"message\":\"m\"}", "cannot get pods/x: m",
                    ERR_CHANGED, false },
                { 410, "{\"reason\":\"Expired\",\"message\":\"m\"}", "cannot get pods/x: m",
                    ERR_CHANGED, false },
                { 422, "{\"message\":\"m\"}", "cannot get pods/x: m", ERR_INVALID, false },
                { 429, "{\"message\":\"m\"}", "cannot get pods/x: m", ERR_HTTP, true },
                { 500, "{\"message\":7}",
                    "cannot get pods/x: the server answered 500: "
                    "{\"message\":7}",
                    ERR_HTTP, true },
                { 502, "<html><b>hidden</b></html>", "cannot get pods/x: the server answered 502",
                    ERR_HTTP, true },
                { 503, NULL, "cannot get pods/x: the server answered 503", ERR_HTTP, true },
                { 418, "{\"message\":\"\"}",
                    "cannot get pods/x: the server answered 418: "
                    "{\"message\":\"\"}",
                    ERR_HTTP, false },
        };

        for (size_t idx = 0; idx < sizeof(cases) / sizeof(*cases); idx++) {
                struct err err = answer_of(cases[idx].http, cases[idx].body, NULL);
                CHECK_STR(err.msg, cases[idx].message);
                CHECK_INT(err.code, cases[idx].code);
                CHECK_INT(err.retryable, cases[idx].retryable);
        }
        struct err err = answer_of(302, "", "https://login.example/?hidden");
        CHECK_STR(err.msg, "cannot get pods/x: the server answered 302: https://login.example/");
}

TEST(a_long_message_loses_its_middle)
{
        char body[9000];
        size_t len = (size_t)snprintf(body, sizeof(body), "{\"message\":\"begin ");

        while (len < 8000)
                len += (size_t)snprintf(body + len, sizeof(body) - len, "\xc3\xa4\xc3\xb6 ");
        snprintf(body + len, sizeof(body) - len, " end\"}");
        struct err err = answer_of(500, body, NULL);
        CHECK(strlen(err.msg) < 450);
        CHECK(strncmp(err.msg, "cannot get pods/x: begin ", 25) == 0);
        CHECK(strcmp(err.msg + strlen(err.msg) - 4, " end") == 0);
}

static int
judge_once(void *arg, struct err *err)
{
        const char *text = arg;
        int status;

        return kube_status_judge(text, strlen(text), &status, err);
}

TEST(each_allocation_of_a_judgement_may_fail)
{
        static char text[] = FAILURE "[{\"reason\":\"ExitCode\",\"message\":\"7\"}]}}";

        test_each_allocation(judge_once, text);
}
