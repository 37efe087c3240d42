#!/usr/bin/env bash
# Runs a command with a throw-away PostgreSQL cluster, made from the system's packages, and removes the cluster afterwards.
# The command finds a superuser's URL in STELE_TEST_POSTGRES and makes databases of its own there.
# fsync stays on, as in production: the durability tests are about that.
# STELE_TEST_POSTGRES_OPTIONS may hold further settings for the server, as -c NAME=VALUE.
# Usage: scripts/postgres.sh COMMAND [ARGUMENT...]
set -euo pipefail

[ $# -gt 0 ] || { echo "usage: scripts/postgres.sh COMMAND [ARGUMENT...]" >&2; exit 2; }

newest_bin() {
  find /usr/lib/postgresql -maxdepth 3 -name initdb 2>/dev/null | sort -V | tail -n 1 | xargs -r dirname || true
}

bin=$(newest_bin)
if [ -z "$bin" ] && command -v initdb >/dev/null; then
  bin=$(dirname "$(command -v initdb)")
fi
if [ -z "$bin" ] && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  echo "installing PostgreSQL" >&2
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends postgresql; } >&2
  bin=$(newest_bin)
fi
if [ -z "$bin" ]; then
  echo "error: PostgreSQL was not found" >&2
  echo "hint: apt-get install -y postgresql" >&2
  exit 1
fi

# Short, since the path of a Unix socket has a limit of about 100 bytes.
folder=$(mktemp -d /tmp/stele-pg.XXXXXX)

# PostgreSQL refuses to run as root.
as_owner() { "$@"; }
if [ "$(id -u)" = 0 ]; then
  owner=postgres
  id "$owner" >/dev/null 2>&1 || useradd --system --no-create-home "$owner"
  chown "$owner" "$folder"
  as_owner() { (cd "$folder" && runuser -u "$owner" -- "$@"); }
fi

remove_cluster() {
  as_owner "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$folder"
}
trap remove_cluster EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

as_owner "$bin/initdb" -D "$folder/data" -U stele -A trust -E UTF8 --locale=C --no-sync >"$folder/initdb.log" 2>&1 ||
  { cat "$folder/initdb.log" >&2; exit 1; }

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

for attempt in 1 2 3; do
  port=$(free_port)
  options="-k $folder -h 127.0.0.1 -p $port -c max_connections=300 -c shared_buffers=64MB ${STELE_TEST_POSTGRES_OPTIONS:-}"
  if as_owner "$bin/pg_ctl" -D "$folder/data" -l "$folder/server.log" -o "$options" -w start >/dev/null; then
    break
  fi
  # Another process may have taken the port in between.
  [ "$attempt" -lt 3 ] || { cat "$folder/server.log" >&2; exit 1; }
done

export STELE_TEST_POSTGRES="postgres://stele@127.0.0.1:$port/postgres"
export STELE_TEST_POSTGRES_BIN="$bin"
"$@"
