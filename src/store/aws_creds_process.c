#include "aws_creds_internal.h"

#include <string.h>

#include "moonkeep/mem.h"
#include "moonkeep/proc.h"

#define WORDS_MAX 256

/* The words of a command, as a shell would split it that expands nothing. */
struct words {
        const char *argv[WORDS_MAX + 1];
        size_t count;
        char *text; /* they lie in it, one behind the other */
};

static bool
is_blank(char at)
{
        return at == ' ' || at == '\t' || at == '\n' || at == '\r';
}

/*
 * Copy one word without its quotes (POSIX, 2.2: in double quotes a backslash
 * escapes only some).  Returns what follows it, or NULL: a quote is open.
 */
static const char *
copy_word(const char *at, char **to)
{
        char quote = '\0';

        for (; *at != '\0' && (quote != '\0' || !is_blank(*at)); at++) {
                bool escapes = *at == '\\' && quote != '\'';
                if (escapes && quote == '"' && strchr("\"\\$`\n", at[1]) == NULL)
                        escapes = false;
                if (quote != '\0' ? *at == quote && !escapes : *at == '\'' || *at == '"')
                        quote = quote != '\0' ? '\0' : *at;
                else if (escapes && at[1] == '\0')
                        return NULL;
                else
                        *(*to)++ = escapes ? *++at : *at;
        }
        *(*to)++ = '\0';
        return quote == '\0' ? at : NULL;
}

static int
split(const char *command, struct words *words, struct err *err)
{
        /* A word takes no more room than in the command, with its NUL for the blank behind it. */
        char *to = mem_alloc(strlen(command) + 1, err);

        if (to == NULL)
                return -1;
        words->text = to;
        while (is_blank(*command))
                command++;
        while (*command != '\0') {
                if (words->count == WORDS_MAX)
                        return err_set(
                            err, ERR_CREDENTIALS, "the command has more than %d words", WORDS_MAX);
                words->argv[words->count++] = to;
                command = copy_word(command, &to);
                if (command == NULL)
                        return err_set(
                            err, ERR_CREDENTIALS, "the command ends within quotes, or in \"\\\"");
                while (is_blank(*command))
                        command++;
        }
        if (words->count == 0)
                return err_set(err, ERR_CREDENTIALS, "the command is empty");
        return 0;
}

/* It failed: what it said may help, and may be secret. */
static int
failed(const struct words *words, const struct proc_result *result, struct err *err)
{
        char said[AWS_QUOTE_SIZE];

        aws_quote(result->err_out.data, result->err_out.len, said);
        return err_set(err, ERR_CREDENTIALS, "\"%s\" ended with status %d%s%s", words->argv[0],
            result->status, *said != '\0' ? ": " : "", said);
}

int
aws_process_keys(const char *command, struct aws_keys *out, struct cancel *cancel, struct err *err)
{
        struct proc_result result;
        struct words words = { .count = 0 };
        int rc = split(command, &words, err);

        if (rc < 0) {
                mem_free(words.text);
                return -1;
        }
        struct proc_spec spec = { .argv = words.argv,
                .output_max = AWS_KEYS_DOCUMENT_MAX,
                .stall_ms = AWS_PROCESS_STALL_MS };
        rc = proc_run(&spec, &result, cancel, err);
        if (rc == 0 && result.status != 0)
                rc = failed(&words, &result, err);
        else if (rc == 0)
                rc = aws_keys_from_json(result.out.data != NULL ? result.out.data : "",
                    result.out.len, "SessionToken", 1, out, err);
        if (result.out.data != NULL)
                secret_wipe(result.out.data, result.out.cap);
        if (result.err_out.data != NULL)
                secret_wipe(result.err_out.data, result.err_out.cap);
        proc_result_free(&result);
        mem_free(words.text);
        return rc;
}
