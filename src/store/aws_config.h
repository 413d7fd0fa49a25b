/*
 * The shared files of AWS, ~/.aws/config and ~/.aws/credentials, read as
 * botocore reads them ("Configuration and credential file settings", AWS CLI
 * User Guide): sections, settings, lines that go on, and one level of nested
 * settings ("s3 =" with "addressing_style = path" below it).
 *
 * Of settings that stand twice in one file the last one counts; where both
 * files have a profile, the settings of the credentials file come first.
 */
#ifndef MOONKEEP_STORE_AWS_CONFIG_H
#define MOONKEEP_STORE_AWS_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "moonkeep/err.h"
#include "moonkeep/secret.h"

#define AWS_CONFIG_FILE_MAX ((size_t)1024 * 1024)
#define AWS_CONFIG_SECTIONS_MAX ((size_t)10000)
#define AWS_CONFIG_SETTINGS_MAX ((size_t)1000) /* of one section */
#define AWS_CONFIG_NAME_MAX ((size_t)256)

struct aws_config;

enum aws_config_file {
        AWS_FILE_CONFIG,
        AWS_FILE_CREDENTIALS,
        AWS_FILE_ANY
};

enum aws_config_kind {
        AWS_PROFILE,  /* [default], [profile NAME]; in the credentials file [NAME] */
        AWS_SERVICES, /* [services NAME] */
        AWS_OTHER     /* what is not for us, and profiles whose name lacks "profile" */
};

struct aws_config *aws_config_new(struct err *err);
void aws_config_free(struct aws_config *config);

/*
 * aws_config_parse: add the settings of a text that was read from the file
 * path (for messages).  ERR_CREDENTIALS names file and line, and never shows
 * what stands there.
 */
int aws_config_parse(struct aws_config *config, enum aws_config_file file, const char *path,
    const char *text, size_t len, struct err *err);

/*
 * aws_config_read: the same for the file itself; one that is not there is
 * empty.  ERR_CREDENTIALS when it cannot be read.
 */
int aws_config_read(
    struct aws_config *config, enum aws_config_file file, const char *path, struct err *err);

/* aws_config_has: is there such a section, if only an empty one? */
bool aws_config_has(const struct aws_config *config, enum aws_config_kind kind, const char *name);

/* aws_config_name_at: the names of the sections of that kind, NULL after the last one. */
const char *aws_config_name_at(
    const struct aws_config *config, enum aws_config_kind kind, size_t idx);

/*
 * aws_config_get: a setting ("region", "s3.addressing_style"), borrowed; NULL
 * when it is not there, empty, or secret.
 */
const char *aws_config_get(const struct aws_config *config, enum aws_config_file file,
    enum aws_config_kind kind, const char *name, const char *key);

/*
 * aws_config_secret: aws_secret_access_key, aws_session_token or
 * aws_security_token of a profile, borrowed; NULL likewise.
 */
struct secret *aws_config_secret(const struct aws_config *config, enum aws_config_file file,
    const char *profile, const char *key);

#endif
