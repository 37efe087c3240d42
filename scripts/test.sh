#!/usr/bin/env bash
# Every test, on both databases: lints, the Rust tests, then the stock clients and the hostile suites against the release binary.
# A failing stage does not stop the ones after it, unless there is no binary to go on with.
# Usage: scripts/test.sh [STAGE...]   with stages among: lint rust instructions cli chart mlflow3 mlflow2 native sagemaker sagemaker_sdk sagemaker_sdk3 governance aws identity workspaces ui paths garbage kill transfer bench   (default: all of these), wheel
set -euo pipefail
cd "$(dirname "$0")/.."

all_stages=(lint rust instructions cli chart mlflow3 mlflow2 native sagemaker sagemaker_sdk sagemaker_sdk3 governance aws identity workspaces ui paths garbage kill transfer bench)
stages=("$@")
[ ${#stages[@]} -gt 0 ] || stages=("${all_stages[@]}")
for stage in "${stages[@]}"; do
  [[ " ${all_stages[*]} wheel " == *" $stage "* ]] || { echo "error: there is no stage $stage among ${all_stages[*]} wheel" >&2; exit 2; }
done

if [ -z "${STELE_TEST_POSTGRES:-}" ]; then
  exec scripts/postgres.sh "$0" "${stages[@]}"
fi

export STELE_BIN=$PWD/target/release/stele
workers=${STELE_TEST_WORKERS:-2}
failed=()

wanted() { [[ " ${stages[*]} " == *" $1 "* ]]; }

# Runs a command under a heading, and keeps its name if it fails.
step() {
  local name=$1 started=$SECONDS
  shift
  echo
  echo "== $name"
  if "$@"; then
    echo "== $name: ok, $((SECONDS - started)) s"
  else
    echo "== $name: FAILED, $((SECONDS - started)) s"
    failed+=("$name")
    return 1
  fi
}

# Prints the URL of a new database in the throw-away cluster.
fresh_database() {
  "$1" - <<'PYTHON'
import os, uuid, psycopg2
from urllib.parse import urlsplit, urlunsplit
url = os.environ["STELE_TEST_POSTGRES"]
name = f"conformance_{uuid.uuid4().hex[:8]}"
connection = psycopg2.connect(url)
connection.autocommit = True
connection.cursor().execute(f"CREATE DATABASE {name}")
print(urlunsplit(urlsplit(url)._replace(path=f"/{name}")))
PYTHON
}

rust_tests() {
  if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --release --workspace --no-tests=warn --no-fail-fast
  else
    cargo test --release --workspace --no-fail-fast
  fi
}

pytest_in() {
  local venv=$1
  shift
  "$PWD/.venv/$venv/bin/python" -m pytest -q "$@"
}

# A server for each worker; the workers of one run share its database.
clients() {
  local venv=$1 database=$2
  shift 2
  local url=
  [ "$database" = sqlite ] || url=$(fresh_database ".venv/$venv/bin/python") || return 1
  STELE_DATABASE=$url pytest_in "$venv" -n "$workers" --dist loadfile conformance/mlflow "$@"
}

# A suite in the environment of MLflow's client, which brings boto3 too, against one server.
suite() { suite_in mlflow3 "$@"; }

suite_in() {
  local venv=$1 folder=$2 database=$3
  shift 3
  local url=
  [ "$database" = sqlite ] || url=$(fresh_database .venv/mlflow3/bin/python) || return 1
  STELE_DATABASE=$url pytest_in "$venv" "$folder" "$@"
}

# Prints the folder with the identity provider that people log in through in tests, or nothing where there is no Node.
oidc_provider() {
  command -v npm >/dev/null || return 0
  local folder=$PWD/.venv/oidc-provider
  mkdir -p "$folder"
  [ -f "$folder/package.json" ] || echo '{ "private": true }' >"$folder/package.json"
  npm install --prefix "$folder" --no-fund --no-audit --silent oidc-provider@8.8.1 >/dev/null && echo "$folder"
}

# A suite that makes databases of its own in the cluster, for what is a matter of a whole database: authentication and
# the names of workspaces.
suite_over_cluster() {
  local folder=$1 cluster=
  [ "$2" = sqlite ] || cluster=$STELE_TEST_POSTGRES
  STELE_DATABASE=$cluster pytest_in mlflow3 "$folder"
}

identity() { OIDC_PROVIDER=$(oidc_provider) suite_over_cluster conformance/identity "$1"; }

# The Python environments that a stage needs.
environments_of() {
  case $1 in
    mlflow3 | native | sagemaker | aws | paths | garbage | kill | identity | workspaces | governance) echo mlflow3 ;;
    ui) echo mlflow3 ui ;;
    sagemaker_sdk) echo mlflow3 sagemaker ;;
    sagemaker_sdk3) echo mlflow3 sagemaker3 ;;
    transfer) echo mlflow3 mlflow2 duckdb ;;
    cli | chart) echo cli ;;
    mlflow2) echo mlflow2 ;;
  esac
}
# They are mostly download and unpacking, so they are made while cargo compiles.
environments=($(for stage in "${stages[@]}"; do environments_of "$stage"; done | tr ' ' '\n' | sort -u))
make_environments() {
  for venv in "${environments[@]}"; do scripts/venv.sh "$venv" >/dev/null || return 1; done
}
make_environments &
environments_job=$!

! wanted lint || step "lints" scripts/lint.sh || true
! wanted rust || step "Rust tests" rust_tests || true
! wanted instructions || step "instructions of the hot paths" scripts/instructions.sh || true
if [ ${#environments[@]} -gt 0 ] || wanted bench; then
  step "release build" cargo build --release --workspace || exit 1
  step "Python environments" wait "$environments_job" || exit 1
fi

! wanted cli || step "command line" pytest_in cli conformance/cli || true
! wanted chart || step "Helm chart" pytest_in cli conformance/chart || true
if wanted mlflow3; then
  step "MLflow 3 client on SQLite" clients mlflow3 sqlite || true
  step "MLflow 3 client on PostgreSQL" clients mlflow3 postgres || true
fi
if wanted mlflow2; then
  step "MLflow 2 client on SQLite" clients mlflow2 sqlite || true
  # What an older client adds is its own requests, and those have been seen on SQLite; the slow suites need no second turn.
  step "MLflow 2 client on PostgreSQL" clients mlflow2 postgres \
    --ignore-glob='*test_artifacts*' --ignore-glob='*test_evaluate*' --ignore-glob='*test_autolog*' || true
fi
if wanted native; then
  step "native API on SQLite" suite conformance/native sqlite || true
  step "native API on PostgreSQL" suite conformance/native postgres || true
fi
if wanted sagemaker; then
  step "boto3 for SageMaker on SQLite" suite conformance/sagemaker sqlite -n "$workers" --dist loadfile || true
  step "boto3 for SageMaker on PostgreSQL" suite conformance/sagemaker postgres -n "$workers" --dist loadfile || true
fi
if wanted sagemaker_sdk; then
  step "SageMaker SDK on SQLite" suite_in sagemaker conformance/sagemaker_sdk sqlite -W ignore || true
  step "SageMaker SDK on PostgreSQL" suite_in sagemaker conformance/sagemaker_sdk postgres -W ignore || true
fi
if wanted sagemaker_sdk3; then
  step "SageMaker SDK 3 on SQLite" suite_in sagemaker3 conformance/sagemaker_sdk3 sqlite -W ignore || true
  step "SageMaker SDK 3 on PostgreSQL" suite_in sagemaker3 conformance/sagemaker_sdk3 postgres -W ignore || true
fi
if wanted governance; then
  step "gates on SQLite" suite conformance/governance sqlite || true
  step "gates on PostgreSQL" suite conformance/governance postgres || true
fi
if wanted aws; then
  step "boto3 for S3, STS and IAM on SQLite" suite conformance/aws sqlite || true
  step "boto3 for S3, STS and IAM on PostgreSQL" suite conformance/aws postgres || true
fi
if wanted identity; then
  step "who is let in, on SQLite" identity sqlite || true
  step "who is let in, on PostgreSQL" identity postgres || true
fi
if wanted workspaces; then
  step "workspaces, on SQLite" suite_over_cluster conformance/workspaces sqlite || true
  step "workspaces, on PostgreSQL" suite_over_cluster conformance/workspaces postgres || true
fi
! wanted ui || step "MLflow's web pages in Chromium" scripts/ui.sh || true
! wanted paths || step "paths that leave the root" pytest_in mlflow3 conformance/security || true
! wanted garbage || step "garbage" pytest_in mlflow3 conformance/fuzz || true
! wanted kill || step "kills" pytest_in mlflow3 -s conformance/durability || true
! wanted transfer || step "ways in and out" pytest_in mlflow3 -n "$workers" --dist worksteal conformance/transfer || true
# Not by default, since it builds our crates once more.
! wanted wheel || step "wheel" scripts/wheel.sh || true
! wanted bench || step "measuring harness" target/release/stele-bench --quick || true

echo
if [ ${#failed[@]} -gt 0 ]; then
  printf 'failed: %s\n' "${failed[@]}"
  exit 1
fi
echo "everything passed in $((SECONDS / 60)) min $((SECONDS % 60)) s"
