#!/usr/bin/env bash
# Measures Stele beside MLflow's server and FastTrackML, on SQLite and on a throw-away PostgreSQL, and beside what the machine
# can do. Sets up everything first. The arguments are those of bench/ (see bench/README.md), for example:
#   scripts/bench.sh --quick                              Stele only, small: shows that the harness works
#   scripts/bench.sh --peers stele --only 'log-batch/*'
#   scripts/bench.sh --markdown table.md --json figures.json
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --workspace >&2

# The peers are installed only when they are measured.
peers=
quick=
previous=
for argument in "$@"; do
  case $argument in
    --peers=*) peers=${argument#--peers=} ;;
    --quick) quick=yes ;;
    *) [ "$previous" != --peers ] || peers=$argument ;;
  esac
  previous=$argument
done
if [ -z "$peers" ]; then
  [ -n "$quick" ] && peers=stele || peers=all
fi
[ "$peers" = stele ] || scripts/venv.sh bench >/dev/null

if [ -n "${STELE_TEST_POSTGRES:-}" ]; then
  exec target/release/stele-bench "$@"
fi
# As a team would run it; fsync stays on, as in scripts/postgres.sh.
export STELE_TEST_POSTGRES_OPTIONS="-c shared_buffers=1GB -c max_wal_size=4GB -c checkpoint_timeout=15min -c effective_cache_size=4GB"
# Clients of one machine; encrypting would be measured along.
export STELE_TEST_POSTGRES_SSL=off
exec scripts/postgres.sh target/release/stele-bench "$@"
