#include "far_script.h"

/* clang-format off */

const char far_script_boot[] =
    "_mk=; while IFS= read -r _mkl; do "
    "case $_mkl in \"$1\") eval \"$_mk\"; exit;; esac; _mk=\"$_mk$_mkl\n\"; "
    "done; exit 97";

/*
 * _mkM is the mark; all names begin with _mk, as commands may know others from their
 * environment.  3 is the standard output, 4 the standard error, 5 the
 * standard input; commands get /dev/null for that.
 *
 * watch, in a subshell of its own, reads what we say: an empty line asks for a
 * sign of life, "ok" ends it.  The end of input, or anything else, ends all:
 * SIGTERM for the group, SIGKILL where that is not obeyed.  Where read knows -t
 * a silence of 15 minutes counts as the end, for runtimes that do not close
 * the input when we are gone.  The main shell waits for its children before it
 * ends, because PID 1 of many pods waits for nobody; SIGHUP tells the watchdog
 * that this is done (a signal just before "wait" is only seen behind it, so that it
 * waits by the second); clean removes what is not to stay.  SIGPIPE must not end a shell that has children.
 *
 * The group must be ours: "kill 0" would otherwise reach what runs there.
 */
const char far_script_common[] =
    "exec 3>&1 4>&2 5<&0 </dev/null\n"
    "unset -v CDPATH _mk _mkl\n"
    "say() { printf '\\n%s %s\\n' \"$_mkM\" \"$*\" >&4; }\n"
    "need() { for _mkc; do\n"
    "  command -v \"$_mkc\" >/dev/null 2>&1 || { say need \"$_mkc\"; exit 96; }\n"
    "done; }\n"
    "leads() { set -- ${1##*) }; [ \"$3\" = $$ ]; }\n"
    "if { read -r _mkl </proc/$$/stat; } 2>/dev/null && ! leads \"$_mkl\"; then\n"
    "  say nogroup; exit 96\n"
    "fi\n"
    "_mkT=; (read -r -t 1 _mkl) 2>/dev/null; [ $? != 1 ] || _mkT='-t 900'\n"
    "watch() {\n"
    "  trap '' TERM PIPE\n"
    "  while IFS= read -r $_mkT _mkl <&5; do\n"
    "    case $_mkl in ok) exit 0;; '') say alive;; *) break;; esac\n"
    "  done\n"
    "  _mks=; trap '[ -z \"$_mks\" ] || (kill -9 $!) 2>/dev/null; wait; exit 1' HUP\n"
    "  kill -TERM 0\n"
    "  _mks=1; for _mkc in 1 2 3 4 5; do sleep 1 & wait $!; done\n"
    "  kill -KILL 0\n"
    "}\n"
    "_mkW=\n"
    "clean() { :; }\n"
    "quit() { trap '' TERM HUP INT; clean; [ -z \"$_mkW\" ] || kill -HUP $_mkW 2>/dev/null; wait; }\n"
    "over() { trap '' TERM; kill -TERM 0; exit 143; }\n"
    "trap quit EXIT\n"
    "trap over TERM HUP INT\n"
    "trap : PIPE\n"
    /* Why a file or directory cannot be had. */
    "refuse() {\n"
    "  if [ ! -e \"$1\" ] && [ ! -L \"$1\" ]; then say refuse gone\n"
    "  elif [ -d \"$1\" ]; then say refuse directory\n"
    "  elif [ ! -f \"$1\" ]; then say refuse other\n"
    "  else say refuse denied; fi\n"
    "  exit 98\n"
    "}\n"
    /* Which program takes digests: the first word that it prints is one. */
    "hasher() {\n"
    "  if command -v openssl >/dev/null 2>&1; then H='openssl dgst -sha256 -r'\n"
    "  else need sha256sum; H=sha256sum; fi\n"
    "  need tee dd\n"
    "  [ -e /proc/self/fd ] || { say need /proc; exit 96; }\n"
    "}\n"
    /* What we send, to stdout: a line with a length, so many bytes, ...; "0" is the end.
     * How many there were is in _mkn. */
    "frames() {\n"
    "  _mke=0 _mkn=0; exec 8>&1\n"
    "  while IFS= read -r $_mkT _mkl <&5; do\n"
    "    case $_mkl in\n"
    "    '') say alive;;\n"
    "    0) return $_mke;;\n"
    "    *[!0-9]*) return 1;;\n"
    "    *) _mkn=$((_mkn + 1)); _mkc=$(dd bs=\"$_mkl\" count=1 iflag=fullblock <&5 2>&1 >&8) || {\n"
    "      _mke=1; printf '%s\\n' \"$_mkc\" >&4; exec 8>/dev/null; };;\n"
    "    esac\n"
    "  done\n"
    "  return 1\n"
    "}\n";
