#include "aws_creds_internal.h"

#include <stdio.h>
#include <string.h>

/* The profiles between the one at hand and the one that was asked for. */
struct visit {
        const char *profile;
        const struct visit *from;
        int depth;
};

static const char *
get(const struct aws_creds *it, const char *profile, const char *key)
{
        return aws_config_get(aws_profiles(it), AWS_FILE_ANY, AWS_PROFILE, profile, key);
}

static bool
has_keys(const struct aws_creds *it, const char *profile)
{
        return get(it, profile, "aws_access_key_id") != NULL ||
               aws_config_secret(
                   aws_profiles(it), AWS_FILE_ANY, profile, "aws_secret_access_key") != NULL;
}

static bool
has_role(const struct aws_creds *it, const char *profile)
{
        return get(it, profile, "role_arn") != NULL &&
               get(it, profile, "web_identity_token_file") == NULL;
}

static struct aws_text
secret_text(const struct secret *secret)
{
        struct aws_text text = { NULL, 0 };

        if (secret != NULL)
                text.at = secret_bytes(secret, &text.len);
        return text;
}

/* aws_access_key_id and what belongs to it in one of the files. */
static int
file_keys(struct aws_creds *it, enum aws_config_file file, const char *profile,
    struct aws_found *out, struct err *err)
{
        const struct aws_config *config = aws_profiles(it);
        const char *id = aws_config_get(config, file, AWS_PROFILE, profile, "aws_access_key_id");
        struct secret *secret = aws_config_secret(config, file, profile, "aws_secret_access_key");
        struct secret *token = aws_config_secret(config, file, profile, "aws_session_token");

        if (id == NULL)
                return 0;
        if (token == NULL)
                token = aws_config_secret(config, file, profile, "aws_security_token");
        if (secret == NULL)
                return err_set(err, ERR_CREDENTIALS,
                    "the profile \"%s\" has aws_access_key_id, but no aws_secret_access_key",
                    profile);
        if (aws_keys_set(&out->keys, (struct aws_text){ id, strlen(id) }, secret_text(secret),
                secret_text(token), NULL, err) < 0)
                return err_prefix(err, "the keys of the profile \"%s\"", profile);
        snprintf(out->source, sizeof(out->source), "the profile \"%s\"", profile);
        /* Those of a session are written by a tool, which may write new ones. */
        out->renewable = token != NULL;
        return 1;
}

static int
unsupported_login(const char *profile, const char *what, struct err *err)
{
        err_set(err, ERR_CREDENTIALS, "the profile \"%s\" logs in with %s, which is not supported",
            profile, what);
        return err_hint(err,
            "use \"credential_process = aws configure export-credentials --profile %s\" in "
            "another profile",
            profile);
}

int
aws_profile_keys(struct aws_creds *it, const char *profile, struct aws_found *out,
    struct cancel *cancel, struct err *err)
{
        const char *command = get(it, profile, "credential_process");

        if (get(it, profile, "sso_account_id") != NULL || get(it, profile, "sso_role_name") != NULL)
                return unsupported_login(profile, "IAM Identity Center (SSO)", err);
        int rc = file_keys(it, AWS_FILE_CREDENTIALS, profile, out, err);
        if (rc != 0)
                return rc;
        if (get(it, profile, "login_session") != NULL)
                return unsupported_login(profile, "\"aws login\"", err);
        if (command == NULL)
                return file_keys(it, AWS_FILE_CONFIG, profile, out, err);
        if (aws_process_keys(command, &out->keys, cancel, err) < 0)
                return err_prefix(err, "the credential_process of the profile \"%s\"", profile);
        snprintf(out->source, sizeof(out->source), "the credential_process of the profile \"%s\"",
            profile);
        out->renewable = true;
        return 1;
}

int
aws_profile_web_identity(struct aws_creds *it, const char *profile, bool use_env,
    struct aws_found *out, struct cancel *cancel, struct err *err)
{
        const char *path = use_env ? aws_env("AWS_WEB_IDENTITY_TOKEN_FILE") : NULL;
        const char *arn = use_env ? aws_env("AWS_ROLE_ARN") : NULL;
        const char *session = use_env ? aws_env("AWS_ROLE_SESSION_NAME") : NULL;

        if (path == NULL)
                path = get(it, profile, "web_identity_token_file");
        if (arn == NULL)
                arn = get(it, profile, "role_arn");
        if (session == NULL)
                session = get(it, profile, "role_session_name");
        if (path == NULL)
                return 0;
        if (arn == NULL) {
                err_set(err, ERR_CREDENTIALS,
                    "there is a web identity token file, \"%s\", but no role", path);
                return err_hint(err, "set AWS_ROLE_ARN, or role_arn in the profile");
        }
        /* Whoever gives it out replaces it from time to time. */
        struct secret *token = aws_secret_file("web identity token file", path, err);
        if (token == NULL)
                return -1;
        struct aws_role role = { .arn = arn, .session = session, .token = token };
        int rc = aws_sts_keys(it, &role, &out->keys, cancel, err);
        secret_unref(token);
        if (rc < 0)
                return err_prefix(err, "the role \"%s\" by web identity", arn);
        snprintf(out->source, sizeof(out->source), "the role \"%s\" by web identity", arn);
        out->renewable = true;
        return 1;
}

static int assume(struct aws_creds *it, const struct visit *visit, struct aws_found *out,
    struct cancel *cancel, struct err *err);

/* Keys of whom the profile at hand names as its source_profile. */
static int
keys_of_source(struct aws_creds *it, const struct visit *visit, const char *source,
    struct aws_found *out, struct cancel *cancel, struct err *err)
{
        const char *profile = visit->profile;
        bool itself = strcmp(source, profile) == 0 && has_keys(it, source);
        struct visit next = { .profile = source, .from = visit, .depth = visit->depth + 1 };

        if (!aws_config_has(aws_profiles(it), AWS_PROFILE, source))
                return err_set(err, ERR_CREDENTIALS,
                    "the profile \"%s\" has the source_profile \"%s\", which does not exist",
                    profile, source);
        for (const struct visit *at = visit; at != NULL && !itself; at = at->from) {
                if (strcmp(at->profile, source) == 0)
                        return err_set(err, ERR_CREDENTIALS,
                            "the source_profile of \"%s\" leads back to \"%s\"", profile, source);
        }
        if (next.depth > AWS_ROLES_MAX)
                return err_set(err, ERR_CREDENTIALS,
                    "more than %d profiles name one another as source_profile", AWS_ROLES_MAX);
        if (!has_keys(it, source) && has_role(it, source))
                return assume(it, &next, out, cancel, err);
        int rc = aws_profile_web_identity(it, source, false, out, cancel, err);
        if (rc == 0)
                rc = aws_profile_keys(it, source, out, cancel, err);
        if (rc == 0)
                rc = err_set(err, ERR_CREDENTIALS,
                    "the profile \"%s\" has the source_profile \"%s\", which has no credentials",
                    profile, source);
        return rc;
}

static int
keys_of_place(struct aws_creds *it, const char *profile, const char *place, struct aws_found *out,
    struct cancel *cancel, struct err *err)
{
        int rc;

        if (strcmp(place, "Environment") == 0)
                rc = aws_environment_keys(out, err);
        else if (strcmp(place, "EcsContainer") == 0)
                rc = aws_container_keys(it, out, cancel, err);
        else if (strcmp(place, "Ec2InstanceMetadata") == 0)
                rc = aws_imds_keys(it, out, cancel, err);
        else {
                err_set(err, ERR_CREDENTIALS,
                    "the profile \"%s\" has a credential_source that is not known", profile);
                return err_hint(err, "there are Environment, Ec2InstanceMetadata and EcsContainer");
        }
        if (rc < 0)
                return err_prefix(
                    err, "the credential_source %s of the profile \"%s\"", place, profile);
        if (rc == 0)
                return err_set(err, ERR_CREDENTIALS,
                    "the credential_source %s of the profile \"%s\" has no credentials", place,
                    profile);
        return 1;
}

static int
keys_for_role(struct aws_creds *it, const struct visit *visit, struct aws_found *out,
    struct cancel *cancel, struct err *err)
{
        const char *profile = visit->profile;
        const char *source = get(it, profile, "source_profile");
        const char *place = get(it, profile, "credential_source");

        if ((source == NULL) == (place == NULL))
                return err_set(err, ERR_CREDENTIALS,
                    "the profile \"%s\" has a role_arn, and %s source_profile %s credential_source",
                    profile, source == NULL ? "neither" : "both", source == NULL ? "nor" : "and");
        if (get(it, profile, "mfa_serial") != NULL) {
                err_set(err, ERR_CREDENTIALS,
                    "the profile \"%s\" wants a code of a device (mfa_serial), which cannot be "
                    "asked for",
                    profile);
                return err_hint(err,
                    "use \"credential_process = aws configure export-credentials --profile %s\" "
                    "in another profile",
                    profile);
        }
        if (place != NULL)
                return keys_of_place(it, profile, place, out, cancel, err);
        return keys_of_source(it, visit, source, out, cancel, err);
}

static int
assume(struct aws_creds *it, const struct visit *visit, struct aws_found *out,
    struct cancel *cancel, struct err *err)
{
        const char *profile = visit->profile;
        struct aws_found by = { .renewable = false };
        struct aws_role role = {
                .arn = get(it, profile, "role_arn"),
                .session = get(it, profile, "role_session_name"),
                .external_id = get(it, profile, "external_id"),
                .duration = get(it, profile, "duration_seconds"),
                .keys = &by.keys,
        };

        if (keys_for_role(it, visit, &by, cancel, err) < 0)
                return -1;
        int rc = aws_sts_keys(it, &role, &out->keys, cancel, err);
        aws_keys_clear(&by.keys);
        if (rc < 0)
                return err_prefix(err, "the role \"%s\" of the profile \"%s\"", role.arn, profile);
        snprintf(out->source, sizeof(out->source), "the role \"%s\" of the profile \"%s\"",
            role.arn, profile);
        out->renewable = true;
        return 1;
}

int
aws_profile_role(
    struct aws_creds *it, struct aws_found *out, struct cancel *cancel, struct err *err)
{
        struct visit visit = { .profile = it->profile, .depth = 1 };

        return has_role(it, it->profile) ? assume(it, &visit, out, cancel, err) : 0;
}
