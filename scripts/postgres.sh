#!/usr/bin/env bash
# Runs a command with a throw-away PostgreSQL cluster, made from the system's packages, and removes the cluster afterwards.
# The command finds a superuser's URL in STELE_TEST_POSTGRES and makes databases of its own there.
# fsync stays on, as in production: the durability tests are about that.
# It speaks TLS with a certificate for `localhost`, not for 127.0.0.1; STELE_TEST_POSTGRES_TLS is a folder with ca.crt, which
# signed it, other-ca.crt, which did not, and client.crt with client.key, which the role `certified` logs in by.
# The role `plain` is let in without TLS only. STELE_TEST_POSTGRES_OPTIONS may hold further settings for the server, as -c NAME=VALUE.
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

if ! command -v openssl >/dev/null && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends openssl; } >&2
fi
command -v openssl >/dev/null || { echo "error: openssl was not found" >&2; echo "hint: apt-get install -y openssl" >&2; exit 1; }

# Authorities, and what the first of them signs.
tls=$folder/tls
as_owner mkdir "$tls"
certify() { as_owner openssl "$@" >/dev/null 2>>"$folder/openssl.log" || { cat "$folder/openssl.log" >&2; exit 1; }; }
new_key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
for authority in ca other-ca; do
  # shellcheck disable=SC2086
  certify req -x509 $new_key -subj "/CN=$authority" -keyout "$tls/$authority.key" -out "$tls/$authority.crt"
done
sign() {
  # shellcheck disable=SC2086
  certify req -x509 $new_key -CA "$tls/ca.crt" -CAkey "$tls/ca.key" -subj "/CN=$2" -addext "subjectAltName=DNS:$2" \
    -addext basicConstraints=critical,CA:FALSE -keyout "$tls/$1.key" -out "$tls/$1.crt"
}
sign server localhost
sign client certified
printf '%s\n' \
  "hostssl all certified 127.0.0.1/32 cert" \
  "hostssl all plain 127.0.0.1/32 reject" \
  "host all all 127.0.0.1/32 trust" \
  "local all all trust" | as_owner tee "$folder/data/pg_hba.conf" >/dev/null

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

for attempt in 1 2 3; do
  port=$(free_port)
  options="-k $folder -h 127.0.0.1 -p $port -c max_connections=300 -c shared_buffers=64MB \
-c ssl=${STELE_TEST_POSTGRES_SSL:-on} -c ssl_ca_file=$tls/ca.crt -c ssl_cert_file=$tls/server.crt -c ssl_key_file=$tls/server.key \
${STELE_TEST_POSTGRES_OPTIONS:-}"
  if as_owner "$bin/pg_ctl" -D "$folder/data" -l "$folder/server.log" -o "$options" -w start >/dev/null; then
    break
  fi
  # Another process may have taken the port in between.
  [ "$attempt" -lt 3 ] || { cat "$folder/server.log" >&2; exit 1; }
done

export STELE_TEST_POSTGRES="postgres://stele@127.0.0.1:$port/postgres"
export STELE_TEST_POSTGRES_BIN="$bin"
export STELE_TEST_POSTGRES_TLS="$tls"
"$@"
