#include "far_script.h"

/* clang-format off */

/*
 * A directory as a tar on stdout.
 *
 * $1 is the proof (structure or digest), $2 whether named symbolic links are
 * followed, $3 whether the size is told, $4 the directory, and the names
 * follow.  tar follows links everywhere or nowhere: where only files are named,
 * everywhere is right; a link to a directory is followed by "/." behind it.
 *
 * What tar wrote is counted by the kernel: children that were waited for are counted as
 * the shell's own.  Some systems have no such file, or do not count so: it is tried first.
 *
 * Says: total KIB; wrote BEFORE BEHIND (bytes); tar STATUS; sum HEX; refuse WHY; name WHY INDEX.
 */
const char far_script_tar_out[] =
    "proof=$1 follow=$2 total=$3 root=$4; shift 4\n"
    "need tar\n"
    "[ $proof = structure ] || hasher\n"
    "LC_ALL=C; export LC_ALL; unset -v TAR_OPTIONS\n"
    "[ -d \"$root\" ] || { [ -e \"$root\" ] && { say refuse nodir; exit 98; }; refuse \"$root\"; }\n"
    "cd \"$root\" 2>/dev/null || { say refuse denied; exit 98; }\n"
    "watch & _mkW=$!\n"
    "h= dirs= links= i=0\n"
    "no() { say name $1 $i; exit 98; }\n"
    "count() { bytes=; while read -r a b; do case $a in wchar:) bytes=$b;; esac; done; }\n"
    "for n; do\n"
    "  p= r=$n\n"
    "  [ $follow = 1 ] || while :; do case $r in\n"
    "    */*) p=$p${r%%/*}; r=${r#*/}; [ ! -L \"$p\" ] || no link; p=$p/;;\n"
    "    *) break;;\n"
    "  esac; done\n"
    "  if [ $follow = 1 ] && [ -L \"$n\" ]; then\n"
    "    [ -e \"$n\" ] || no gone\n"
    "    if [ -d \"$n\" ]; then n=$n/.; dirs=1; else links=1; fi\n"
    "  elif [ -d \"$n\" ] && [ ! -L \"$n\" ]; then dirs=1\n"
    "  else [ -e \"$n\" ] || [ -L \"$n\" ] || no gone; fi\n"
    "  shift; set -- \"$@\" \"$n\"; i=$((i + 1))\n"
    "done\n"
    "if [ \"$links\" ]; then [ -z \"$dirs\" ] || { say name mixed 0; exit 98; }; h=-h; fi\n"
    "[ $# != 0 ] || set -- .\n"
    "if [ $total = 1 ] && [ $# -lt 100 ] && command -v du >/dev/null 2>&1; then\n"
    "  sum=0\n"
    "  for n; do k=$(du -sk $h -- \"$n\" 2>/dev/null) && sum=$((sum + ${k%%[!0-9]*})); done\n"
    "  say total $sum\n"
    "fi\n"
    "if [ $proof = structure ]; then\n"
    "  { count </proc/$$/io; } 2>/dev/null; before=$bytes\n"
    "  (printf %4096s '' >/dev/null); { count </proc/$$/io; } 2>/dev/null\n"
    "  [ \"$before\" ] && [ $((bytes - before)) -ge 4096 ] && before=$bytes || before=\n"
    "  tar -c $h -f - -- \"$@\" >&3 5<&-; r=$?\n"
    "  { count </proc/$$/io; } 2>/dev/null\n"
    "  [ -z \"$before\" ] || say wrote $before $bytes\n"
    "  say tar $r\n"
    "else\n"
    "  sum=$(trap : TERM\n"
    "    { trap : TERM; { trap : TERM; tar -c $h -f - -- \"$@\" 3>&- 5<&- 6>&-; say tar $?; } |\n"
    "      tee /proc/self/fd/6 | dd bs=64k iflag=fullblock 2>/dev/null 6>&- >&3; } 6>&1 | $H)\n"
    "  say sum \"${sum%% *}\"\n"
    "fi\n"
    "wait $_mkW || exit 97\n"
    "exit 0\n";

/*
 * A tar, in frames on stdin, extracted.
 *
 * $1 is the proof, $2 UID:GID or empty, $3 the directory.  Its own mode and
 * owner stay, whatever the tar says of ".".  -k: nothing is replaced; -o: the
 * owner is who extracts.  Behind the frames comes a line: "setid" when there were
 * such bits (or sticky ones), which nobody is to get with an owner that is not the stored one.
 *
 * Says: ready; tar STATUS; sum HEX; end FRAMES (all came); bits STATUS; own STATUS; done (synced); refuse WHY.
 */
const char far_script_tar_in[] =
    "proof=$1 owner=$2 root=$3\n"
    "need tar dd cat sync stat chmod\n"
    "[ $proof = structure ] || hasher\n"
    "[ -z \"$owner\" ] || need chown\n"
    "LC_ALL=C; export LC_ALL; unset -v TAR_OPTIONS\n"
    "[ -d \"$root\" ] || { [ -e \"$root\" ] && { say refuse nodir; exit 98; }; refuse \"$root\"; }\n"
    "cd \"$root\" 2>/dev/null || { say refuse denied; exit 98; }\n"
    "was=$(stat -c '%a %u:%g' .)\n"
    "say ready\n"
    "take() { frames && say end $_mkn; }\n"
    "put() {\n"
    "  trap : TERM\n"
    "  tar -x -p -o -k -f - 3>&- 5<&-; r=$?\n"
    "  [ $r != 0 ] || cat >/dev/null\n"
    "  say tar $r; return $r\n"
    "}\n"
    "if [ $proof = structure ]; then take | put\n"
    "else\n"
    "  take | { trap : TERM\n"
    "    tee /proc/self/fd/6 | { s=$($H 6>&-); say sum \"${s%% *}\"; } 6>&-; } 6>&1 >&2 | put\n"
    "fi || exit 95\n"
    "IFS= read -r $_mkT bits <&5 || exit 95\n"
    "watch & _mkW=$!\n"
    "if [ \"$bits\" = setid ]; then\n"
    "  find . ! -type l \\( -perm -4000 -o -perm -2000 -o -perm -1000 \\) \\\n"
    "    -exec chmod ug-s,-t {} \\;; say bits $?\n"
    "fi\n"
    "if [ \"$owner\" ]; then chown -R -h \"$owner\" . && chown ${was#* } .; say own $?; fi\n"
    "chmod ${was% *} . 2>/dev/null\n"
    "sync -f . 2>/dev/null || sync\n"
    "say done\n"
    "wait $_mkW || exit 97\n"
    "exit 0\n";
