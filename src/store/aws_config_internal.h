/*
 * What the files of aws_config share: sections and settings as they are kept.
 */
#ifndef MOONKEEP_STORE_AWS_CONFIG_INTERNAL_H
#define MOONKEEP_STORE_AWS_CONFIG_INTERNAL_H

#include "aws_config.h"

struct aws_setting {
        enum aws_config_file file;
        char *key;   /* in lower case; "s3.addressing_style" for a nested one */
        char *value; /* or NULL: secret */
        struct secret *secret;
};

struct aws_section {
        enum aws_config_kind kind;
        char *name;
        struct aws_setting *settings;
        size_t count, cap;
};

struct aws_config {
        struct aws_section *sections;
        size_t count, cap;
};

/* aws_config_section: the index of the section of that name (len bytes), made if need be. */
int aws_config_section(struct aws_config *config, enum aws_config_kind kind, const char *name,
    size_t len, size_t *idx, struct err *err);

/* aws_config_set: a setting, instead of one of that key that the same file had. */
int aws_config_set(struct aws_section *section, enum aws_config_file file, const char *key,
    const char *value, size_t len, struct err *err);

#endif
