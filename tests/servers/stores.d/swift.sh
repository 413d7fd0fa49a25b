# shellcheck shell=bash disable=SC2154 # sourced by stores, which sets dir, host, port and secret
# OpenStack swift with its S3 API: a proxy for http and one for https on the same
# account, container and object server (port +42 to +44), and memcached (+45).

has_swift() {
        local program
        for program in swift-{proxy,account,container,object}-server swift-ring-builder memcached; do
                command -v "$program" >/dev/null || return 1
        done
}

up_swift() {
        local d=$dir/swift type at=42
        mkdir -p "$d/nodes/d1"
        printf '%s\n' '[swift-hash]' 'swift_hash_path_suffix = teststores' \
            '[storage-policy:0]' 'name = gold' 'default = yes' >"$d/swift.conf"
        for type in account container object; do
                swift_ring $type $((port + at))
                swift_server_conf $type $((port + at)) >"$d/$type.conf"
                swift_launch $((at - 41))$type $type
                at=$((at + 1))
        done
        launch swift.4memcached memcached -u "$(id -un)" -l "$host" -p $((port + 45)) -m 64
        swift_proxy_conf $((port + 40)) >"$d/proxy.conf"
        swift_launch 5proxy proxy
        swift_proxy_conf $((port + 41)) "cert_file = $dir/tls/server.crt" \
            "key_file = $dir/tls/server.key" >"$d/proxytls.conf"
        swift_launch 6proxytls proxytls
        wait_until swift.5proxy 60 answers_http $((port + 40))
        wait_until swift.6proxytls 60 answers_https $((port + 41))
        for type in 1account:42 2container:43 3object:44; do
                wait_until "swift.${type%:*}" 60 answers_http $((port + ${type#*:}))
        done
        is_alive "$dir/run/swift.4memcached" || give_up swift.4memcached "has ended"
        # The other one is of the same account, but no admin: 403 for all that it does.
        tell swift STORE_ENDPOINT "http://$host:$((port + 40))" \
            STORE_HTTPS_ENDPOINT "https://$host:$((port + 41))" STORE_REGION us-east-1 \
            STORE_ACCESS_KEY test:tester STORE_SECRET_KEY "$secret" \
            STORE_OTHER_ACCESS_KEY test:other STORE_OTHER_SECRET_KEY "$secret"
}

swift_ring() { # TYPE PORT
        local builder=$dir/swift/$1.builder
        [ ! -e "$dir/swift/$1.ring.gz" ] || return 0
        rm -f "$builder"
        step "swift.$1.ring" swift-ring-builder "$builder" create 4 1 1
        step "swift.$1.ring" swift-ring-builder "$builder" add "r1z1-$host:$2/d1" 1
        step "swift.$1.ring" swift-ring-builder "$builder" rebalance
}

# It reads /etc/swift/swift.conf and no other unless set_swift_dir says where.
# -v sends its log to stderr.
swift_launch() { # TAG CONF
        local server
        server=$(command -v "swift-${2%tls}-server")
        launch "swift.$1" /usr/bin/python3 -c 'import sys, runpy, swift.common.utils as utils
utils.set_swift_dir(sys.argv.pop(1))
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")' "$dir/swift" "$server" "$dir/swift/$2.conf" -v
}

# The limits of time are far above swift's own: a busy machine is no reason for
# a 503, or for a listing that lacks an object.
swift_times='conn_timeout = 10
node_timeout = 60'

swift_common() { # PORT
        cat <<CONF
[DEFAULT]
bind_ip = $host
bind_port = $1
user = $(id -un)
swift_dir = $dir/swift
workers = 0
log_address = /nonexistent
CONF
}

swift_server_conf() { # TYPE PORT
        swift_common "$2"
        cat <<CONF
log_level = WARNING
devices = $dir/swift/nodes
mount_check = false
disable_fallocate = true
$swift_times
container_update_timeout = 60
[pipeline:main]
pipeline = $1-server
[app:$1-server]
use = egg:swift#$1
CONF
}

swift_proxy_conf() { # PORT [LINE...]
        swift_common "$1"
        shift
        cat <<CONF
log_level = INFO
$(printf '%s\n' "$@")
[pipeline:main]
pipeline = catch_errors proxy-logging cache listing_formats bulk s3api tempauth copy slo dlo versioned_writes symlink keymaster encryption proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
$swift_times
# There is one node only: it is never set aside, for whatever reason.
error_suppression_limit = 1000000
error_suppression_interval = 0.001
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:cache]
use = egg:swift#memcache
memcache_servers = $host:$((port + 45))
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
storage_domain = localhost
max_upload_part_num = 10000
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = $secret .admin
user_test_other = $secret
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
max_manifest_segments = 10000
rate_limit_after_segment = 10000
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
[filter:symlink]
use = egg:swift#symlink
# These two are what accepts (and does) server-side encryption with AES256.
[filter:keymaster]
use = egg:swift#keymaster
encryption_root_secret = $(printf '%048d' 5 | base64 -w0)
[filter:encryption]
use = egg:swift#encryption
CONF
}
