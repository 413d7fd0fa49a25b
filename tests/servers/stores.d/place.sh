# shellcheck shell=bash disable=SC2154 # sourced by stores, which sets dir and host
# What the stores share: their ports, their certificate, the file that tells of them.

block=60

# in_use FIRST: somebody has a port of that block.
in_use() {
        cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v first="$1" -v count=$block '
        BEGIN {
                for (port = first; port < first + count; port++)
                        ours[sprintf("%04X", port)] = 1
        }
        {
                sub(/.*:/, "", $2)
                # A connection that only waits for its last packets (06) is in nobody'"'"'s way.
                if ($4 != "06" && $2 in ours)
                        found = 1
        }
        END { exit !found }'
}

# choose_ports: the block of before, or a free one.  Ceph and swift write it into
# their data, so that another block means to begin again.
choose_ports() {
        port=$(cat "$dir/port" 2>/dev/null) || port=
        if [ -n "$port" ] && { ! none_runs || ! in_use "$port"; }; then
                return
        fi
        [ -z "$port" ] || cmd_down --wipe
        # Below those that the kernel, and the tests, give to others.
        for _ in {1..50}; do
                port=$((10000 + RANDOM % 148 * block))
                in_use "$port" || break
        done
        echo "$port" >"$dir/port"
}

# make_certificates: an authority of our own and one server certificate, once.
make_certificates() {
        local tls=$dir/tls
        [ ! -e "$tls/server.crt" ] || return 0
        command -v openssl >/dev/null || return 0 # then nothing is installed
        step tls openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj '/CN=authority of the test stores' \
            -keyout "$tls/ca.key" -out "$tls/ca.crt" \
            -config <(extensions basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign,cRLSign \
                subjectKeyIdentifier=hash)
        step tls openssl req -newkey rsa:2048 -nodes -subj /CN=localhost \
            -keyout "$tls/server.key" -out "$tls/server.csr" -config <(extensions)
        step tls openssl x509 -req -in "$tls/server.csr" -CA "$tls/ca.crt" -CAkey "$tls/ca.key" \
            -CAcreateserial -days 3650 -out "$tls/server.new" -extensions ext \
            -extfile <(extensions subjectAltName=DNS:localhost,IP:127.0.0.1 basicConstraints=critical,CA:FALSE \
                keyUsage=critical,digitalSignature,keyEncipherment extendedKeyUsage=serverAuth \
                subjectKeyIdentifier=hash authorityKeyIdentifier=keyid)
        mv "$tls/server.new" "$tls/server.crt"
}

extensions() {
        printf '%s\n' '[req]' distinguished_name=dn "${@:+x509_extensions=ext}" '[dn]' '[ext]' "$@" | sed '/^$/d'
}

# tell NAME KEY VALUE...: it is up; the settings of those who use it, in env/NAME.
tell() {
        local name=$1
        shift
        printf '%s=%q\n' STORE_NAME "$name" STORE_CA_FILE "$dir/tls/ca.crt" "$@" >"$dir/env/$name.new"
        mv "$dir/env/$name.new" "$dir/env/$name"
}
