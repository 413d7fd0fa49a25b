/*
 * Answers of an HTTP server, and what the rules of a fault_proxy make of them.
 */
#ifndef TESTS_HARNESS_FAULT_ANSWER_H
#define TESTS_HARNESS_FAULT_ANSWER_H

#include "harness/fault_rules.h"
#include "moonkeep/buf.h"

#define FAULT_HEAD_MAX ((size_t)256 * 1024)
#define FAULT_BODY_MAX ((size_t)256 * 1024 * 1024)

struct fault_answer {
        int status;
        struct buf head; /* up to its empty line */
        struct buf body;
};

/* fault_find_header: the line of a header in a head of len bytes; NULL when there is none. */
char *fault_find_header(char *head, size_t len, const char *name);

/* fault_set_header: replace a header, or add it; value NULL: remove it. */
void fault_set_header(struct fault_answer *answer, const char *name, const char *value);

/* fault_set_length: the head tells the length of the body as it is. */
void fault_set_length(struct fault_answer *answer);

/* fault_change_answer: as the rule (may be NULL) says; an answer of its own has no body for a HEAD.
 */
void fault_change_answer(
    const struct fault_rule *rule, const char *method, struct fault_answer *answer);

#endif
