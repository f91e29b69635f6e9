#!/usr/bin/env bash
# Makes .venv hold what the lock files name, and this working copy as an editable install.
#   install/python_environment.sh runtime   what the provider needs
#   install/python_environment.sh tests     that, and the tools of the tests
# Does nothing when .venv was made from the same lock files in the same place.
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:-runtime}

main() {
    local stamp=".venv/installed-$purpose" wanted
    wanted=$(fingerprint)
    [[ -x .venv/bin/idp && -f $stamp && $(<"$stamp") == "$wanted" ]] && return
    one_at_a_time
    was_made_here || make_environment
    .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip >/dev/null
    install_packages
    echo "$wanted" >"$stamp"
}

fingerprint() {
    { pwd; cat pyproject.toml $(lock_files); } | sha256sum
}

lock_files() {
    case $purpose in
        runtime) echo requirements.txt requirements-build.txt ;;
        tests) echo requirements-dev.txt ;;
        *) echo "unknown purpose: $purpose" >&2; exit 2 ;;
    esac
}

one_at_a_time() {
    mkdir -p .tools
    exec 9>.tools/install.lock
    flock 9
}

# An environment that was copied with its folder still starts the programs of the old one.
was_made_here() {
    [[ -x .venv/bin/python ]] && grep --quiet --fixed-strings "$(pwd -P)/.venv" .venv/bin/activate
}

make_environment() {
    local python
    python=$(find_python)
    echo "Making .venv with $("$python" --version)"
    "$python" -c 'import ensurepip' 2>/dev/null || install_venv_module
    "$python" -m venv --clear .venv
}

# First the system's own, where it makes environments: it is translated with a profile of its work, and others often
# are not, which makes a tenth of difference.
find_python() {
    local name
    if [[ -z ${PYTHON:-} ]] && /usr/bin/python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo /usr/bin/python3
        return
    fi
    for name in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "Python 3.11 or newer is needed. Ask your administrator for it, or set PYTHON to where it is." >&2
    exit 1
}

# Debian ships Python without the part of its standard library that makes environments.
install_venv_module() {
    if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
        echo "This Python can't make virtual environments. Ask your administrator for: apt-get install python3-venv" >&2
        exit 1
    fi
    echo "Installing python3-venv"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update --quiet --quiet
    apt-get install --quiet --quiet --yes --no-install-recommends python3-venv >/dev/null
}

install_packages() {
    local pip=(.venv/bin/python -m pip --disable-pip-version-check --quiet) requirements=() file
    for file in $(lock_files); do
        requirements+=(--requirement "$file")
    done
    echo "Installing the pinned libraries ($purpose)"
    by_uv || "${pip[@]}" install --require-hashes --only-binary :all: "${requirements[@]}"
    "${pip[@]}" install --no-deps --no-build-isolation --no-index --editable .
    # As pip did with the libraries: where Python is told to write no bytecode, every start would translate all of it anew.
    .venv/bin/python -m compileall -q idp relying_parties
}

# The tests' lock file names uv, which takes a third of the time; but it reads none of pip's settings, so pip may reach
# what it can't.
by_uv() {
    [[ $purpose == tests ]] || return
    sed --quiet '/^uv==/,/[^\\]$/p' "$(lock_files)" >.tools/uv.txt
    "${pip[@]}" install --require-hashes --only-binary :all: --requirement .tools/uv.txt
    UV_HTTP_RETRIES=0 .venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes --only-binary :all: \
        --compile-bytecode "${requirements[@]}"
}

main
