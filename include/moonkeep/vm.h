/*
 * The Lua machine: its libraries, its modules, its tasks, and the one loop
 * that they wait in.
 */
#ifndef MOONKEEP_VM_H
#define MOONKEEP_VM_H

/*
 * vm_main: run the command line (lua/cli/main.lua) as the first task and
 * return the program's exit status.  SIGINT, SIGTERM and SIGHUP cancel the
 * tasks; a second SIGINT ends the process at once.
 */
int vm_main(int argc, char **argv);

#endif
