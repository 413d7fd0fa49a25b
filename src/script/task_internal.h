/*
 * What a task is made of, for task.c and the module _task.
 */
#ifndef MOONKEEP_SCRIPT_TASK_INTERNAL_H
#define MOONKEEP_SCRIPT_TASK_INTERNAL_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "moonkeep/cancel.h"

struct vm;

/* Most shields inside one another (a cleanup that runs a cleanup). */
#define SHIELDS_MAX 8

struct task {
        struct vm *vm;
        lua_State *co;
        int ref;          /* co, anchored in the registry */
        unsigned holders; /* the machine until it ended, and the handle */

        struct cancel *token;
        struct shield {
                struct task *task;
                struct cancel *token;
                uint64_t timer; /* its deadline */
        } shields[SHIELDS_MAX];
        unsigned shield_count;

        bool ready;
        bool ended;
        bool failed; /* with an error of the machine itself, which xpcall did not see */
        int results;
        void (*abort)(void *arg);
        void *abort_arg;
        struct task *waiter; /* the one that waits for this one's end */
        struct task *awaits; /* the one whose end it waits for */

        struct task *next_ready;
        struct task *next;
        struct task **prev;
};

/* task_token_of: the token that the task has now: its own, or its innermost shield's. */
static inline struct cancel *
task_token_of(const struct task *task)
{
        return task->shield_count != 0 ? task->shields[task->shield_count - 1].token : task->token;
}

/* task_unshield: end the innermost shield. */
void task_unshield(struct task *task);

#endif
