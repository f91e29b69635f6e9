#!/usr/bin/env bash
# The programs that the tests talk to: a browser, databases, a proxy, and an Apache as somebody else's relying party.
# As root on Debian, installs those that are missing and starts none of them. Otherwise says what is missing.
set -euo pipefail

main() {
    local missing
    missing=$(missing_packages)
    [[ -z $missing ]] && return
    if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
        echo "Some tests will fail for want of programs. Ask your administrator for: apt-get install" $missing >&2
        return
    fi
    echo "Installing" $missing
    install_packages $missing
}

missing_packages() {
    command -v chromium-headless-shell >/dev/null || echo chromium-headless-shell fonts-liberation
    compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || command -v postgres >/dev/null || echo postgresql
    /usr/bin/python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv
    command -v redis-server >/dev/null || echo redis-server
    command -v curl >/dev/null || echo curl ca-certificates
    [[ -x /usr/sbin/nginx ]] || echo nginx
    [[ -x /usr/sbin/apache2 ]] || echo apache2
    [[ -f /usr/lib/apache2/modules/mod_auth_openidc.so ]] || echo libapache2-mod-auth-openidc
}

install_packages() {
    keep_services_stopped
    export DEBIAN_FRONTEND=noninteractive
    apt-get update --quiet --quiet
    apt-get install --quiet --quiet --yes --no-install-recommends "$@" >/dev/null
}

# Debian asks this script before it starts a service; 101 means no.
keep_services_stopped() {
    local policy=/usr/sbin/policy-rc.d
    [[ -e $policy ]] && return
    trap "rm -f $policy" EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
}

main
