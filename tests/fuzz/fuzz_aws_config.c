/*
 * Any text as a shared file of AWS: it is refused with a reason of one line
 * that names a line, or each of its profiles can be asked for.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/store/aws_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
ask(const struct aws_config *config)
{
        const char *name;

        for (size_t idx = 0; (name = aws_config_name_at(config, AWS_PROFILE, idx)) != NULL; idx++) {
                if (*name == '\0' || !aws_config_has(config, AWS_PROFILE, name))
                        abort();
                (void)aws_config_get(config, AWS_FILE_ANY, AWS_PROFILE, name, "region");
                (void)aws_config_secret(config, AWS_FILE_ANY, name, "aws_secret_access_key");
                if (idx == 100)
                        break;
        }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct err err;
        struct aws_config *config = aws_config_new(&err);

        if (config == NULL || size == 0)
                goto done;
        /* The first byte says which file it is. */
        enum aws_config_file file = data[0] % 2 == 0 ? AWS_FILE_CONFIG : AWS_FILE_CREDENTIALS;
        if (aws_config_parse(config, file, "file", (const char *)data + 1, size - 1, &err) == 0)
                ask(config);
        else if (err.code != ERR_CREDENTIALS || strstr(err.msg, "\"file\": line ") == NULL ||
                 strchr(err.msg, '\n') != NULL)
                abort();
done:
        aws_config_free(config);
        return 0;
}
