#!/usr/bin/env bash
# Everything the tests need, from nothing, then all tests. Needs a Rust toolchain and a C compiler.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v cargo >/dev/null || { echo "tests/run.sh: cargo is not on the PATH; install a Rust toolchain first" >&2; exit 2; }
command -v cc >/dev/null || { echo "tests/run.sh: no C compiler 'cc' on the PATH; SQLite is compiled from its source" >&2; exit 2; }

exec cargo test --locked "$@"
