#include "aws_creds_internal.h"

#include <stdio.h>
#include <string.h>

/*
 * The order is botocore's: the environment (unless the profile was named by
 * who asks), a role of the profile, web identity, keys of the profile, the
 * container, the machine.
 */

static struct aws_text
text_of(const char *text)
{
        return (struct aws_text){ text, text != NULL ? strlen(text) : 0 };
}

int
aws_environment_keys(struct aws_found *out, struct err *err)
{
        const char *id = aws_env("AWS_ACCESS_KEY_ID");
        const char *secret = aws_env("AWS_SECRET_ACCESS_KEY");
        const char *token = aws_env("AWS_SESSION_TOKEN");

        if (id == NULL)
                return 0;
        if (token == NULL)
                token = aws_env("AWS_SECURITY_TOKEN");
        if (secret == NULL) {
                err_set(err, ERR_CREDENTIALS,
                    "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not");
                return -1;
        }
        if (aws_keys_set(&out->keys, text_of(id), text_of(secret), text_of(token),
                aws_env("AWS_CREDENTIAL_EXPIRATION"), err) < 0)
                return err_prefix(err, "the keys of the environment");
        snprintf(out->source, sizeof(out->source), "the environment");
        out->renewable = false;
        return 1;
}

/* Nobody has any: say who was asked. */
static int
nothing(const struct aws_creds *it, const char *machine, struct err *err)
{
        err_set(err, ERR_CREDENTIALS,
            "no credentials: looked in %sweb identity, profile \"%s\" of \"%s\" and \"%s\", "
            "container, IMDS (%s)",
            it->profile_given ? "" : "environment, ", it->profile,
            it->credentials_path != NULL ? it->credentials_path : "~/.aws/credentials",
            it->config_path != NULL ? it->config_path : "~/.aws/config", machine);
        return err_hint(err, it->profile_given
                                 ? "the profile that is named has no keys, no role and no process"
                                 : "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a "
                                   "profile that has keys");
}

static int
ask_all(struct aws_creds *it, struct aws_found *out, struct cancel *cancel, struct err *err)
{
        struct err why;
        int rc = it->profile_given ? 0 : aws_environment_keys(out, err);

        if (rc == 0)
                rc = aws_profile_role(it, out, cancel, err);
        if (rc == 0)
                rc =
                    aws_profile_web_identity(it, it->profile, !it->profile_given, out, cancel, err);
        if (rc == 0)
                rc = aws_profile_keys(it, it->profile, out, cancel, err);
        if (rc == 0)
                rc = aws_container_keys(it, out, cancel, err);
        if (rc != 0)
                return rc;
        rc = aws_imds_keys(it, out, cancel, &why);
        if (rc < 0 && (why.code == ERR_CANCELLED || why.code == ERR_NOMEM)) {
                if (err != NULL)
                        *err = why;
                return -1;
        }
        if (rc > 0)
                return rc;
        return nothing(it, rc == 0 ? "AWS_EC2_METADATA_DISABLED" : why.msg, err);
}

int
aws_chain_keys(struct aws_creds *it, struct aws_found *out, struct cancel *cancel, struct err *err)
{
        if (ask_all(it, out, cancel, err) > 0)
                return 1;
        err_prefix(err, "cannot get AWS credentials");
        return aws_failed(err);
}
