/*
 * The machine's state, shared by vm.c, task.c and require.c.
 */
#ifndef MOONKEEP_SCRIPT_VM_INTERNAL_H
#define MOONKEEP_SCRIPT_VM_INTERNAL_H

#include <lua.h>
#include <signal.h>
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
        int64_t cancelled_at_ms;
};

/* vm_of: the machine of any of its coroutines. */
static inline struct vm *
vm_of(lua_State *L)
{
        return *(struct vm **)lua_getextraspace(L);
}

/*
 * vm_open: make the machine of a zeroed vm (only dev_dir may be set) and leave
 * the value of a Lua module on its stack.  On failure the reason was printed;
 * vm_close is due in both cases.
 */
int vm_open(struct vm *vm, const char *module);

/* vm_close: release the machine; all tasks must have ended. */
void vm_close(struct vm *vm);

/* How often a signal asked to end; written by the handler. */
extern volatile sig_atomic_t vm_signals;

/* task_run_ready: resume every ready task once. */
void task_run_ready(struct vm *vm);

/* task_cancelled: the root token was set: abort the waits that no token ends. */
void task_cancelled(struct vm *vm);

/* task_result: of an ended task: true and its values on L, or false and the error. */
bool task_result(struct task *task, lua_State *L, int *count);

/* require_open: set the globals `require` and the strict global table. */
void require_open(lua_State *L);

#endif
