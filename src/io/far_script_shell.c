#include "far_script.h"

/* clang-format off */

/*
 * A shell that runs scripts, one after the other.
 *
 * "run MARK" begins one: its text up to a line that is MARK, then its input in
 * frames, then "ok" when we have seen its end, and empty lines at any time.
 * It runs in a subshell; both outputs are between lines "MARK begin" and "MARK
 * end STATUS.".  While it runs, the left side of the pipeline is input and
 * watchdog; its number comes to the right side as the first line.
 *
 * Says: ready.
 */
const char far_script_shell[] =
    "marks() { printf '\\n%s %s\\n' $_mkR \"$*\"; printf '\\n%s %s\\n' $_mkR \"$*\" >&4; }\n"
    "one() {\n"
    "  { read -r _mkW _mkl </proc/self/stat; } 2>/dev/null\n"
    "  printf '%s\\n' \"$_mkW\"\n"
    "  frames || watch\n"
    "  exec >/dev/null 8>/dev/null\n"
    "  watch\n"
    "}\n"
    "say ready\n"
    "while IFS= read -r $_mkT _mkl <&5; do\n"
    "  case $_mkl in\n"
    "  '') say alive; continue;;\n"
    "  run\\ *) _mkR=${_mkl#run };;\n"
    "  *) exit 97;;\n"
    "  esac\n"
    "  _mks= _mkd=\n"
    "  while IFS= read -r _mkl <&5; do\n"
    "    if [ \"$_mkl\" = $_mkR ]; then _mkd=1; break; fi\n"
    "    _mks=\"$_mks$_mkl\n"
    "\"\n"
    "  done\n"
    "  [ \"$_mkd\" ] || exit 97\n"
    "  one | {\n"
    "    IFS= read -r _mkW; trap '[ -z \"$_mkW\" ] || kill -HUP $_mkW 2>/dev/null; exit 143' TERM\n"
    "    marks begin\n"
    "    ( trap - PIPE HUP INT; trap 'exit 143' TERM; exec 3>&- 4>&- 5<&-; eval \"$_mks\" )\n"
    "    marks end $?.\n"
    "  } || exit 97\n"
    "done\n"
    "exit 0\n";
