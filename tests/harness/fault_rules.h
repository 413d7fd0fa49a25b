/*
 * The rules by which a server for tests breaks things: one a line,
 * "METHOD TARGET WHICH ACTION...".  tests/servers/fault_proxy.c says how they are
 * written; which actions there are is each server's own.
 */
#ifndef TESTS_HARNESS_FAULT_RULES_H
#define TESTS_HARNESS_FAULT_RULES_H

#include <stdbool.h>
#include <stddef.h>

#define FAULT_ARGS_MAX 3

enum fault_place {
        FAULT_NOWHERE,
        FAULT_HEAD,
        FAULT_BODY_BYTES,
        FAULT_BODY,
        FAULT_DONE,
        FAULT_ANSWER_HEAD,
        FAULT_ANSWER_BYTES,
        FAULT_STDOUT_BYTES,
        FAULT_STDIN_BYTES,
        FAULT_EVENTS
};

struct fault_action {
        const char *name;
        int args;    /* at least */
        int splits;  /* how many words come before the rest of the line */
        bool placed; /* the last argument is AT */
};

struct fault_rule {
        char *method;
        char *target;
        char *which;
        char *action;
        char *args[FAULT_ARGS_MAX];
        enum fault_place place; /* of close, reset and stall */
        size_t bytes;           /* of its place */
        unsigned long seen;
};

/*
 * fault_rules_read: all that the file says, with these actions (an array that
 * ends with a NULL name); the probabilities are drawn from seed.
 */
void fault_rules_read(const char *path, long seed, const struct fault_action *actions);

/* fault_rule_find: the first rule that matches a request, and whose turn it is; or NULL. */
const struct fault_rule *fault_rule_find(const char *method, const char *target);

/* fault_is: is it a rule of that action?  rule may be NULL. */
bool fault_is(const struct fault_rule *rule, const char *action);

/* fault_fail: end the program with the reason.  fault_checked: unless ptr is NULL. */
void fault_fail(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
void *fault_checked(void *ptr);

#endif
