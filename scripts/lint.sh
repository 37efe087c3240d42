#!/usr/bin/env bash
# Formatting and lints. Clippy runs in the release profile, the one profile of this repository, so that the third-party
# crates are checked once for every later command.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo fmt --all --check
cargo clippy --release --workspace --all-targets -- -D warnings
if command -v shellcheck >/dev/null; then
  shellcheck scripts/*.sh .ci/run
fi
