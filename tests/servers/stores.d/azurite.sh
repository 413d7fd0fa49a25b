# shellcheck shell=bash disable=SC2154 # sourced by stores, which sets dir, root, host and port
# azurite (Azure Blob).  A process serves http or https, and two cannot share
# their data: the two endpoints are two accounts that know nothing of each other.

azurite_main=${MOONKEEP_TOOLS:-$root/build/tools}/azurite/node_modules/azurite/dist/src/blob/main.js

has_azurite() {
        command -v node >/dev/null && [ -e "$azurite_main" ]
}

up_azurite() {
        local tls=$dir/tls
        azurite_launch 1http $((port + 50))
        azurite_launch 2https $((port + 51)) --cert "$tls/server.crt" --key "$tls/server.key"
        wait_until azurite.1http 60 answers_http $((port + 50))
        wait_until azurite.2https 60 answers_https $((port + 51))
        # The account and the key are those that every azurite has.
        tell azurite STORE_ENDPOINT "http://$host:$((port + 50))/devstoreaccount1" \
            STORE_HTTPS_ENDPOINT "https://$host:$((port + 51))/devstoreaccount1" \
            STORE_ACCOUNT devstoreaccount1 \
            STORE_KEY 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='
}

azurite_launch() { # TAG PORT [OPTION...]
        mkdir -p "$dir/azurite/$1"
        launch "azurite.$1" node "$azurite_main" --blobHost "$host" --blobPort "$2" \
            --location "$dir/azurite/$1" --disableTelemetry "${@:3}"
}
