/*
 * What is there when the API server for tests begins.
 */
#ifndef TESTS_KUBE_API_OBJECTS_H
#define TESTS_KUBE_API_OBJECTS_H

/* api_objects_read: the objects file (NULL: none); the token that requests need, or NULL. */
void api_objects_read(const char *path, const char *token);

#endif
