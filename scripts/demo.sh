#!/usr/bin/env bash
# Runs demo/train.py with the stock MLflow client. Uses the server at STELE_DEMO_URL (http://127.0.0.1:5000) if one answers there;
# else builds Stele and starts it, and leaves it running in the foreground when the models are trained.
set -euo pipefail
cd "$(dirname "$0")/.."

url=${STELE_DEMO_URL:-http://127.0.0.1:5000}
answers() { python3 -c "import sys, urllib.request as u; u.urlopen(sys.argv[1] + '/health', timeout=2)" "$url" 2>/dev/null; }

server=
if ! answers; then
  cargo build --release -p stele
  host_and_port=${url#*://}
  ./target/release/stele serve --host "${host_and_port%:*}" --port "${host_and_port##*:}" &
  server=$!
  trap 'kill "$server" 2>/dev/null || true' EXIT
  for _ in $(seq 100); do
    if answers || ! kill -0 "$server" 2>/dev/null; then break; fi
    sleep 0.1
  done
  answers || { echo "error: the server did not start at $url" >&2; exit 1; }
fi

venv=$(scripts/venv.sh mlflow3)
MLFLOW_TRACKING_URI=$url "$venv/bin/python" demo/train.py

if [ -n "$server" ]; then
  echo "The server is still running at $url; stop it with Ctrl-C. Its data stays in ./stele-data."
  if [ -t 0 ]; then wait "$server"; fi
fi
