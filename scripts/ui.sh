#!/usr/bin/env bash
# Shows MLflow's web pages, on a server of ours, to headless Chromium, and looks at what is there.
# Installs Chromium if it is missing and this is Debian with root. STELE_BIN is the server to start.
# Usage: scripts/ui.sh [PYTEST-ARGUMENT...]
set -euo pipefail
cd "$(dirname "$0")/.."

has_chromium() {
  local name
  for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then return 0; fi
  done
  return 1
}

if ! has_chromium && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  echo "installing Chromium" >&2
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends chromium; } >&2 || true
fi
if ! has_chromium; then
  echo "error: Chromium was not found" >&2
  echo "hint: apt-get install -y chromium" >&2
  exit 1
fi

mlflow=$(scripts/venv.sh mlflow3)
ui=$(scripts/venv.sh ui)
export STELE_UI_MLFLOW=$mlflow
export STELE_BIN=${STELE_BIN:-$PWD/target/release/stele}
exec "$ui/bin/python" -m pytest -q "$@" conformance/ui
