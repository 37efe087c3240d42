#!/usr/bin/env bash
# Makes the pinned Python environment .venv/NAME and prints its folder. Does nothing when the requirements have not changed.
# Usage: scripts/venv.sh cli|mlflow3|mlflow2|sagemaker|sagemaker3|ui|duckdb|bench
set -euo pipefail
cd "$(dirname "$0")/.."

name=${1:?usage: scripts/venv.sh cli|mlflow3|mlflow2|sagemaker|sagemaker3|ui|duckdb|bench}
requirements=conformance/requirements-$name.txt
# Packages that are installed without what they ask for.
alone=()
if [ "$name" = bench ]; then
  requirements=conformance/requirements-mlflow3.txt
  alone=(bench/requirements.txt)
fi
[ "$name" != sagemaker3 ] || alone=(conformance/requirements-sagemaker3-alone.txt)
folder=$PWD/.venv/$name

fail() {
  echo "error: $1" >&2
  echo "hint: $2" >&2
  exit 1
}

# The pins hold from Python 3.10 (MLflow 3 starts there) to 3.13 (the last one with wheels for all of them).
find_python() {
  local candidate
  for candidate in "${STELE_PYTHON:-}" python3 python3.11 python3.12 python3.10 python3.13; do
    if [ -n "$candidate" ] && "$candidate" -c \
      'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  fail "no Python from 3.10 to 3.13 was found" "install one, or name it in STELE_PYTHON"
}

[ -f "$requirements" ] || fail "there is no $requirements" "the names are cli, mlflow3, mlflow2, sagemaker, sagemaker3, ui, duckdb and bench"
python=$(find_python)
stamp=$(cat "$requirements" "${alone[@]}" <("$python" --version) | sha256sum | cut -d ' ' -f 1)
if [ -f "$folder/.stamp" ] && [ "$(cat "$folder/.stamp")" = "$stamp" ]; then
  echo "$folder"
  exit 0
fi

"$python" -c 'import ensurepip, venv' 2>/dev/null ||
  fail "$python cannot make virtual environments" "apt-get install -y python3-venv"
rm -rf "$folder"
mkdir -p "$(dirname "$folder")"
echo "making .venv/$name with $("$python" --version), once" >&2
"$python" -m venv "$folder" >&2
"$folder/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" >&2
if [ ${#alone[@]} -gt 0 ]; then
  "$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "${alone[0]}" >&2
fi
echo "$stamp" >"$folder/.stamp"
echo "$folder"
