# shellcheck shell=bash
# What an image of moonkeep has in it.  Source it after lib.sh.

# image_root DIR: make the root directory of an image: the program as /usr/bin/moonkeep, the
# libraries that it needs, a user table without us, and no other program, not even a shell.
image_root() {
        local file
        mkdir -p "$1"/{dev,proc,tmp,usr/bin,etc/ssl/certs}
        chmod 1777 "$1/tmp"
        cp "$MOONKEEP" "$1/usr/bin/moonkeep"
        echo "root:x:0:0:root:/root:/usr/sbin/nologin" >"$1/etc/passwd"
        : >"$1/etc/ssl/certs/ca-certificates.crt"
        while read -r file; do
                install -D "$file" "$1$file"
        done < <(ldd "$MOONKEEP" | grep -o '/[^ ]*')
}
