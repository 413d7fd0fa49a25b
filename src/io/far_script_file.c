#include "far_script.h"

/* clang-format off */

/*
 * One file on stdout, to the size that it had when it was opened.
 *
 * $1 is the proof, $2 the file.  Its size is that of the file that is open: the
 * name leads to the same one before and behind the opening.
 *
 * Says: size BYTES; read STATUS; sum HEX; refuse WHY.
 */
const char far_script_file_out[] =
    "proof=$1 path=$2\n"
    "need dd stat\n"
    "[ $proof = structure ] || hasher\n"
    "LC_ALL=C; export LC_ALL\n"
    "[ -f \"$path\" ] && [ -r \"$path\" ] || refuse \"$path\"\n"
    "watch & _mkW=$!\n"
    "look() { stat -L -c '%i %s' \"$path\" 2>/dev/null; }\n"
    "a=$(look) i=0\n"
    "while :; do\n"
    "  { : <\"$path\"; } 2>/dev/null || refuse \"$path\"\n"
    "  exec 7<\"$path\"\n"
    "  b=$(look); [ \"$a\" != \"$b\" ] || break\n"
    "  a=$b i=$((i + 1)); [ $i -lt 100 ] || { say read 1; exit 98; }\n"
    "done\n"
    "size=${a#* }\n"
    "say size $size\n"
    "q=$((size / 65536)) r=$((size % 65536))\n"
    "get() {\n"
    "  [ $q = 0 ] || dd bs=65536 count=$q iflag=fullblock <&7 2>/dev/null || return\n"
    "  [ $r = 0 ] || dd bs=$r count=1 iflag=fullblock <&7 2>/dev/null\n"
    "}\n"
    "if [ $proof = structure ]; then get >&3; say read $?\n"
    "else\n"
    "  sum=$(trap : TERM\n"
    "    { trap : TERM; { trap : TERM; get 3>&- 5<&- 6>&-; say read $?; } |\n"
    "      tee /proc/self/fd/6 | dd bs=64k iflag=fullblock 2>/dev/null 6>&- >&3; } 6>&1 | $H)\n"
    "  say sum \"${sum%% *}\"\n"
    "fi\n"
    "wait $_mkW || exit 97\n"
    "exit 0\n";

/*
 * Frames on stdin as a file.
 *
 * $1 is the proof, $2 the mode, $3 whether it must be new, $4 the file, $5 its
 * temporary name beside it, $6 the directory of both.  It gets its name behind
 * our "ok".
 *
 * Says: ready; stored BYTES; sum HEX (read back); done; placed STATUS; refuse WHY.
 */
const char far_script_file_in[] =
    "proof=$1 mode=$2 new=$3 path=$4 tmp=$5 dir=$6\n"
    "need dd stat mv rm chmod sync ln\n"
    "[ $proof = structure ] || hasher\n"
    "LC_ALL=C; export LC_ALL; umask 077\n"
    "clean() { rm -f \"$tmp\"; }\n"
    "[ -d \"$dir\" ] || { [ -e \"$dir\" ] && { say refuse nodir; exit 98; }; say refuse gone; exit 98; }\n"
    "if [ -e \"$path\" ] || [ -L \"$path\" ]; then\n"
    "  [ $new = 0 ] || { say refuse exists; exit 98; }\n"
    "  [ ! -e \"$path\" ] || [ -f \"$path\" ] || refuse \"$path\"\n"
    "fi\n"
    "(set -C; : >\"$tmp\") || { say refuse create; exit 98; }\n"
    "say ready\n"
    "frames >>\"$tmp\" || { say stored -1; exit 95; }\n"
    "watch & _mkW=$!\n"
    "dd if=/dev/null of=\"$tmp\" conv=notrunc,fsync 2>/dev/null || sync\n"
    "chmod $mode \"$tmp\"\n"
    "say stored \"$(stat -c %s \"$tmp\")\"\n"
    "if [ $proof = digest ]; then sum=$($H <\"$tmp\"); say sum \"${sum%% *}\"; fi\n"
    "say done\n"
    "wait $_mkW || exit 97\n"
    "_mkW=\n"
    "if [ $new = 1 ]; then\n"
    "  ln \"$tmp\" \"$path\"; r=$?; clean\n"
    "else mv -f \"$tmp\" \"$path\"; r=$?; fi\n"
    "sync \"$dir\" 2>/dev/null || sync\n"
    "say placed $r\n"
    "[ $r = 0 ] || exit 98\n"
    "exit 0\n";
