/* Which permission a request needs (IAM User Guide, "Actions for Amazon S3"). */
#include <string.h>

#include "s3.h"

#define BUCKET 1
#define OBJECT 2

/* The first rule that fits counts. */
static const struct {
        const char *method;
        int of;
        const char *param;  /* in the query; or NULL */
        const char *action; /* NULL: of_writing */
} rules[] = {
        { "GET", OBJECT, "uploadId", "s3:ListMultipartUploadParts" },
        { "DELETE", OBJECT, "uploadId", "s3:AbortMultipartUpload" },
        { "GET", BUCKET, "uploads", "s3:ListBucketMultipartUploads" },
        { "GET", BUCKET, "versions", "s3:ListBucketVersions" },
        { "GET", OBJECT, "tagging", "s3:GetObjectTagging" },
        { "PUT", OBJECT, "tagging", "s3:PutObjectTagging" },
        { "DELETE", OBJECT, "tagging", "s3:DeleteObjectTagging" },
        { "GET", BUCKET, "tagging", "s3:GetBucketTagging" },
        { "PUT", BUCKET, "tagging", "s3:PutBucketTagging" },
        { "GET", OBJECT, "retention", "s3:GetObjectRetention" },
        { "PUT", OBJECT, "retention", "s3:PutObjectRetention" },
        { "GET", OBJECT, "legal-hold", "s3:GetObjectLegalHold" },
        { "PUT", OBJECT, "legal-hold", "s3:PutObjectLegalHold" },
        { "GET", OBJECT, "acl", "s3:GetObjectAcl" },
        { "PUT", OBJECT, "acl", "s3:PutObjectAcl" },
        { "GET", BUCKET, "acl", "s3:GetBucketAcl" },
        { "PUT", BUCKET, "acl", "s3:PutBucketAcl" },
        { "POST", OBJECT, "restore", "s3:RestoreObject" },
        { "GET", BUCKET, "lifecycle", "s3:GetLifecycleConfiguration" },
        { "PUT", BUCKET, "lifecycle", "s3:PutLifecycleConfiguration" },
        { "DELETE", BUCKET, "lifecycle", "s3:PutLifecycleConfiguration" },
        { "GET", BUCKET, "replication", "s3:GetReplicationConfiguration" },
        { "PUT", BUCKET, "replication", "s3:PutReplicationConfiguration" },
        { "DELETE", BUCKET, "replication", "s3:PutReplicationConfiguration" },
        { "GET", BUCKET, "encryption", "s3:GetEncryptionConfiguration" },
        { "PUT", BUCKET, "encryption", "s3:PutEncryptionConfiguration" },
        { "DELETE", BUCKET, "encryption", "s3:PutEncryptionConfiguration" },
        { "GET", BUCKET, "versioning", "s3:GetBucketVersioning" },
        { "PUT", BUCKET, "versioning", "s3:PutBucketVersioning" },
        { "GET", BUCKET, "object-lock", "s3:GetBucketObjectLockConfiguration" },
        { "PUT", BUCKET, "object-lock", "s3:PutBucketObjectLockConfiguration" },
        { "GET", BUCKET, "policy", "s3:GetBucketPolicy" },
        { "PUT", BUCKET, "policy", "s3:PutBucketPolicy" },
        { "DELETE", BUCKET, "policy", "s3:DeleteBucketPolicy" },
        { "GET", BUCKET, "publicAccessBlock", "s3:GetBucketPublicAccessBlock" },
        { "PUT", BUCKET, "publicAccessBlock", "s3:PutBucketPublicAccessBlock" },
        { "GET", BUCKET, "location", "s3:GetBucketLocation" },
        { "POST", BUCKET, "delete", "s3:DeleteObject" },
        { "GET", OBJECT, "versionId", "s3:GetObjectVersion" },
        { "HEAD", OBJECT, "versionId", "s3:GetObjectVersion" },
        { "DELETE", OBJECT, "versionId", "s3:DeleteObjectVersion" },
        { "GET", OBJECT, NULL, "s3:GetObject" },
        { "HEAD", OBJECT, NULL, "s3:GetObject" },
        { "DELETE", OBJECT, NULL, "s3:DeleteObject" },
        { "PUT", OBJECT, NULL, NULL },
        { "POST", OBJECT, NULL, NULL },
        { "GET", BUCKET, NULL, "s3:ListBucket" },
        { "HEAD", BUCKET, NULL, "s3:ListBucket" },
        { "PUT", BUCKET, NULL, "s3:CreateBucket" },
        { "DELETE", BUCKET, NULL, "s3:DeleteBucket" },
};

/* What an object is to have needs permissions of its own. */
static const char *
of_writing(const struct object_request *request)
{
        for (size_t idx = 0; idx < request->header_count; idx++) {
                const char *name = request->headers[idx].name;
                if (strcmp(name, "x-amz-tagging") == 0)
                        return "s3:PutObject and s3:PutObjectTagging";
                if (strcmp(name, "x-amz-object-lock-mode") == 0)
                        return "s3:PutObject and s3:PutObjectRetention";
        }
        return "s3:PutObject";
}

const char *
s3_action(const struct object_request *request)
{
        int of = request->key != NULL ? OBJECT : BUCKET;

        for (size_t idx = 0; idx < sizeof(rules) / sizeof(rules[0]); idx++) {
                if (rules[idx].of == of && strcmp(rules[idx].method, request->method) == 0 &&
                    (rules[idx].param == NULL ||
                        s3_request_param(request, rules[idx].param) != NULL))
                        return rules[idx].action != NULL ? rules[idx].action : of_writing(request);
        }
        return "a permission";
}
