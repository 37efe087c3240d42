#!/usr/bin/env bash
# Builds the wheel that carries the binary, installs it in a fresh virtual environment, and starts the server from there.
# Prints where the wheel is. STELE_WHEEL_PROFILE is cargo's profile (release).
# Usage: scripts/wheel.sh
set -euo pipefail
cd "$(dirname "$0")/.."

maturin_version=1.16.0
python=${STELE_PYTHON:-python3}
wheels=$PWD/target/wheels
scratch=$(mktemp -d)
server=
tidy() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  rm -rf "$scratch"
}
trap tidy EXIT

"$python" -m venv "$scratch/build"
"$scratch/build/bin/pip" install --quiet --disable-pip-version-check "maturin==$maturin_version"
rm -rf "$wheels"
"$scratch/build/bin/maturin" build --locked --profile "${STELE_WHEEL_PROFILE:-release}" --out "$wheels" >&2

"$python" -m venv "$scratch/fresh"
"$scratch/fresh/bin/pip" install --quiet --disable-pip-version-check --no-index "$wheels"/*.whl
"$scratch/fresh/bin/stele" --version >&2
"$scratch/fresh/bin/stele" serve --port 0 --data "$scratch/data" >"$scratch/log" 2>&1 &
server=$!
for _ in $(seq 100); do
  url=$(sed -n 's/^Stele .* is at \(http.*\)$/\1/p' "$scratch/log")
  if [ -n "$url" ] && "$python" -c "import sys, urllib.request as u; u.urlopen(sys.argv[1] + '/health', timeout=5)" "$url"; then
    echo "$wheels"/*.whl
    exit 0
  fi
  kill -0 "$server" 2>/dev/null || break
  sleep 0.1
done
echo "error: the installed server did not answer" >&2
cat "$scratch/log" >&2
exit 1
