/*
 * The machine's state, shared by vm.c, task.c and require.c.
 */
#ifndef MOONKEEP_SCRIPT_VM_INTERNAL_H
#define MOONKEEP_SCRIPT_VM_INTERNAL_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "moonkeep/cancel.h"
#include "moonkeep/loop.h"

struct task;

struct vm {
        lua_State *L;
        struct loop *loop;          /* made by the first wait */
        struct cancel *root_cancel; /* set by a signal */
        struct task *current;
        struct task *tasks; /* all that have not ended */
        struct task *ready; /* queue */
        struct task **ready_end;
        const char *dev_dir; /* Lua code comes from there instead of from the program */
        lua_Alloc alloc;     /* Lua's memory; NULL: malloc and its kin */
        void *alloc_arg;
        bool cancelled; /* the root token was set */
};

/* vm_of: the machine of any of its coroutines. */
static inline struct vm *
vm_of(lua_State *L)
{
        return *(struct vm **)lua_getextraspace(L);
}

/*
 * vm_open: make the machine of a zeroed vm (dev_dir and alloc may be set) and leave
 * the value of a Lua module on its stack.  On failure the reason was printed;
 * vm_close is due in both cases.
 */
int vm_open(struct vm *vm, const char *module);

/* vm_close: release the machine; all tasks must have ended. */
void vm_close(struct vm *vm);

/*
 * vm_run: call the function on the stack's top with its nargs arguments as the
 * first task, and wait for all tasks; those that are left when it has ended
 * are cancelled.  Returns its integer value, or 1 after printing its error.
 */
int vm_run(struct vm *vm, int nargs);

/* vm_catch_signals: from here SIGINT, SIGTERM and SIGHUP cancel, also Lua that never waits. */
void vm_catch_signals(struct vm *vm);

/* vm_print_error: tell the error value on the stack's top on standard error, and pop it. */
void vm_print_error(lua_State *L);

/* task_run_ready: resume every ready task once. */
void task_run_ready(struct vm *vm);

/* task_cancelled: the root token was set: abort the waits that no token ends. */
void task_cancelled(struct vm *vm);

bool task_has_ended(const struct task *task);

/* task_result: of an ended task: true and its values on L, or false and the error. */
bool task_result(struct task *task, lua_State *L, int *count);

/* coroutine_guard: let scripts' coroutines and tasks not get into each other's way. */
void coroutine_guard(lua_State *L);

/* require_open: set the globals `require` and the strict global table. */
void require_open(lua_State *L);

#endif
