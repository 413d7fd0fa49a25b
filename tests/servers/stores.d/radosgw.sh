# shellcheck shell=bash disable=SC2154 # sourced by stores, which sets dir, host, port and secret
# Ceph radosgw: the gateway with one monitor (port +2 and +3) and one OSD (+10 to
# +29), without a manager.

has_radosgw() {
        local program
        for program in radosgw radosgw-admin ceph ceph-mon ceph-osd ceph-authtool monmaptool; do
                command -v "$program" >/dev/null || return 1
        done
}

up_radosgw() {
        local d=$dir/radosgw
        ulimit -n 65536 2>/dev/null || :
        # A first start that was interrupted leaves no "made": it begins again.
        if [ ! -e "$d/made" ]; then
                stop_store radosgw
                rm -rf "$d"
                mkdir -p "$d/mon" "$d/osd" "$d/run"
                cat /proc/sys/kernel/random/uuid >"$d/fsid"
                cat /proc/sys/kernel/random/uuid >"$d/osd_id"
        fi
        # It names the folder, which may have been moved.
        radosgw_conf >"$d/ceph.conf"
        [ -e "$d/made" ] || radosgw_make_mon
        launch radosgw.1mon ceph-mon -c "$d/ceph.conf" -f -i a
        wait_until radosgw.1mon 60 ceph_says 'quorum' mon stat
        [ -e "$d/made" ] || radosgw_make_osd
        launch radosgw.2osd ceph-osd -c "$d/ceph.conf" -f -i 0
        wait_until radosgw.2osd 60 ceph_says ' 1 up' osd stat
        if [ ! -e "$d/made" ]; then
                radosgw_make_zone
                : >"$d/made"
        fi
        launch radosgw.3rgw radosgw -c "$d/ceph.conf" -f -n client.rgw --no-mon-config
        wait_until radosgw.3rgw 120 answers_http "$port"
        wait_until radosgw.3rgw 10 answers_https $((port + 1))
        tell radosgw STORE_ENDPOINT "http://$host:$port" \
            STORE_HTTPS_ENDPOINT "https://$host:$((port + 1))" STORE_REGION us-east-1 \
            STORE_ACCESS_KEY testAK STORE_SECRET_KEY "$secret" \
            STORE_OTHER_ACCESS_KEY otherAK STORE_OTHER_SECRET_KEY "$secret"
}

radosgw_make_mon() {
        local d=$dir/radosgw
        step radosgw.1mon ceph-authtool --create-keyring "$d/keyring" --gen-key -n mon. --cap mon 'allow *'
        step radosgw.1mon monmaptool --create --fsid "$(cat "$d/fsid")" \
            --addv a "[v2:$host:$((port + 2)),v1:$host:$((port + 3))]" "$d/monmap"
        step radosgw.1mon timeout 60 ceph-mon -c "$d/ceph.conf" --mkfs -i a \
            --monmap "$d/monmap" --keyring "$d/keyring"
}

radosgw_make_osd() {
        local d=$dir/radosgw
        step radosgw.2osd ceph_ osd new "$(cat "$d/osd_id")"
        step radosgw.2osd ceph_ osd crush add osd.0 1.0 host=store root=default
        step radosgw.2osd timeout 120 ceph-osd -c "$d/ceph.conf" -i 0 --mkfs --osd-uuid "$(cat "$d/osd_id")"
}

# All before the gateway starts: it reads its zone only then.  The first call
# makes the pools, too.
radosgw_make_zone() {
        local class
        radosgw_admin user create --uid=test --display-name=test --access-key=testAK --secret-key="$secret"
        radosgw_admin user create --uid=other --display-name=other --access-key=otherAK --secret-key="$secret"
        for class in STANDARD_IA GLACIER; do
                radosgw_admin zonegroup placement add --rgw-zonegroup default \
                    --placement-id default-placement --storage-class $class
                radosgw_admin zone placement add --rgw-zone default --placement-id default-placement \
                    --storage-class $class --data-pool default.rgw.buckets.data
        done
        # Without a policy for it, ?replication is 405.
        radosgw_admin sync group create --group-id=group1 --status=allowed
        radosgw_admin sync group flow create --group-id=group1 --flow-id=flow1 \
            --flow-type=symmetrical --zones=default
}

radosgw_admin() {
        step radosgw.3rgw timeout 120 radosgw-admin -c "$dir/radosgw/ceph.conf" -n client.rgw "$@"
}

ceph_() {
        timeout 30 ceph -c "$dir/radosgw/ceph.conf" --connect-timeout 5 "$@"
}

ceph_says() { # TEXT COMMAND...
        ceph_ "${@:2}" 2>/dev/null | grep -q "$1"
}

radosgw_conf() {
        local d=$dir/radosgw
        cat <<CONF
[global]
fsid = $(cat "$d/fsid")
mon initial members = a
mon host = [v2:$host:$((port + 2))/0,v1:$host:$((port + 3))/0]
public addr = $host
cluster addr = $host
ms bind ipv6 = false
ms bind port min = $((port + 10))
ms bind port max = $((port + 29))
auth cluster required = none
auth service required = none
auth client required = none
run dir = $d/run
admin socket =
crash dir = $d/run
exporter sock dir = $d/run
mon data = $d/mon
osd data = $d/osd
# What a process writes to stderr is its log.
log file =
log to stderr = true
mon cluster log to file = false
debug ms = 0
debug mon = 0
debug paxos = 0
debug osd = 0
debug bluestore = 0
debug bdev = 0
debug rocksdb = 0
# One line for each request.
debug rgw = 1
mon allow pool size one = true
mon data avail crit = 1
mon data avail warn = 1
mon max pg per osd = 2000
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = bluestore
# A sparse file.
bluestore block size = 42949672960
bluestore fsck on mount = false
osd memory target = 1073741824
osd scrub load threshold = 0.01
[client.rgw]
rgw frontends = beast endpoint=$host:$port ssl_endpoint=$host:$((port + 1)) ssl_certificate=$dir/tls/server.crt ssl_private_key=$dir/tls/server.key
# It would ask for "secure", which needs keys, and wait for five minutes.
ms mon client mode = crc
rgw data = $d/run
rgw dns name = localhost
rgw enable apis = s3, admin
rgw thread pool size = 64
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = testkey-1=$(printf '%032d' 9 | base64)
rgw gc obj min wait = 5
rgw gc processor period = 10
CONF
}
