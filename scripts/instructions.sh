#!/usr/bin/env bash
# Counts the instructions of the hot paths and compares them with crates/instructions/baseline.json.
# Usage: scripts/instructions.sh [check|write] [PATH...]   (default: check, which fails when a path got dearer)
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v valgrind >/dev/null && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  echo "installing valgrind" >&2
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends valgrind; } >&2
fi
if ! command -v valgrind >/dev/null; then
  echo "error: valgrind was not found" >&2
  echo "hint: apt-get install -y valgrind" >&2
  exit 1
fi

# The whole workspace, so that the features of the dependencies are those of every other build.
cargo build --release --workspace
exec target/release/stele-instructions "${@:-check}"
