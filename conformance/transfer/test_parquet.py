"""The Parquet files of an export are read by DuckDB."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Origin, Stele, python
from servers import REPOSITORY

DUCKDB = Path(os.environ.get("STELE_TEST_DUCKDB") or REPOSITORY / ".venv/duckdb/bin/python")


@pytest.mark.skipif(not DUCKDB.exists(), reason="scripts/venv.sh duckdb makes what reads the files")
def test_duckdb_reads_what_mlflow_had(stele: Stele, mlflow3: Origin, tmp_path: Path) -> None:
    stele.run("import", "mlflow", mlflow3.uri, "--keep-artifacts")
    folder = tmp_path / "lake"
    report = stele.json("export", "parquet", folder)
    assert {row["name"]: row["rows"] for row in report["rows"]}["runs"] == 6

    def ask(sql: str) -> list:
        return json.loads(python(DUCKDB, "query.py", folder, sql))

    with sqlite3.connect(mlflow3.folder / "mlflow.db") as source:
        # Everything of every table, by numbers that no row can leave unchanged.
        for table, ours, theirs in (
            ("params", "run_id || key || value", "run_uuid || key || value"),
            ("latest_metrics", "run_id || key || step || timestamp", "run_uuid || key || step || timestamp"),
            ("metrics", "run_id || key || step || timestamp", "run_uuid || key || step || timestamp"),
            ("runs", "run_id || experiment_id || name || artifact_uri", "run_uuid || experiment_id || name || artifact_uri"),
            ("experiments", "experiment_id || name", "experiment_id || name"),
            ("experiment_tags", "experiment_id || key || value", "experiment_id || key || value"),
            ("model_versions", "model || version || source || stage", "name || version || source || lower(current_stage)"),
            ("assessments", "trace_id || assessment_id || kind || name || source_type || valid",
             "trace_id || assessment_id || assessment_type || name || source_type || iif(valid, 'true', 'false')"),
            ("issues", "issue_id || experiment_id || name || status || coalesce(severity, '')", "issue_id || experiment_id || name || status || coalesce(severity, '')"),
            ("label_schemas", "schema_id || experiment_id || name || type || input_type", "schema_id || experiment_id || name || type || input_type"),
            ("review_queues", "queue_id || experiment_id || name || type", "queue_id || experiment_id || name || queue_type"),
            ("review_queue_items", "queue_id || trace_id || status", "queue_id || item_id || status"),
            ("model_version_tags", "model || version || key || value", "name || version || key || value"),
        ):
            found = ask(f"SELECT {ours} AS row FROM '@/{table}.parquet' ORDER BY 1")
            expected = source.execute(f"SELECT {theirs} FROM {table} ORDER BY 1").fetchall()
            assert sorted(row for (row,) in found) == sorted(row for (row,) in expected), table
        for table, theirs in (("models", "registered_models"), ("model_tags", "registered_model_tags")):
            expected = source.execute(f"SELECT COUNT(*) FROM {theirs}").fetchone()[0]
            assert ask(f"SELECT COUNT(*) FROM '@/{table}.parquet'") == [[expected]], table
        start, end = source.execute("SELECT start_time, end_time FROM runs WHERE name = 'child 0'").fetchone()
    odd = ask("SELECT value FROM '@/metrics.parquet' WHERE key = 'odd' GROUP BY value ORDER BY value")
    assert odd == [[float("-inf")], [-1.5], [0.0], [1e-300], [float("inf")], [pytest.approx(float("nan"), nan_ok=True)]]
    times = ask("SELECT epoch_ms(start_time), epoch_ms(end_time), typeof(start_time) FROM '@/runs.parquet' WHERE name = 'child 0'")
    assert times == [[start, end, "TIMESTAMP WITH TIME ZONE"]]
    # What people ask of it: the best value of each run, with a param beside it.
    best = ask(
        """SELECT runs.name, params.value, min(metrics.value) FROM '@/metrics.parquet' AS metrics
           JOIN '@/runs.parquet' AS runs USING (run_id) JOIN '@/params.parquet' AS params USING (run_id)
           WHERE metrics.key = 'dir/deep loss' AND params.key = 'lr' GROUP BY ALL ORDER BY 1"""
    )
    assert best == [[f"child {number}", f"0.0{number}", 1 / 40] for number in range(3)]
    check_traces(ask, mlflow3.folder / "mlflow.db")
    # Who has something to review, and how far the queue is.
    waiting = ask(
        """SELECT name, json_extract_string(users, '$[0]'), count(*), count(*) FILTER (status = 'pending')
           FROM '@/review_queues.parquet' JOIN '@/review_queue_items.parquet' USING (queue_id) GROUP BY ALL ORDER BY 1"""
    )
    assert waiting == [["Tëam", "ann", 3, 1], ["ann", "ann", 1, 1]]
    aliases = dict(ask("SELECT alias, version FROM '@/model_aliases.parquet'"))
    assert aliases == {"best": 2, "challenger": 3, "champion": 2, "staging": 3, "production": 2, "archived": 1}

    failed = stele.run("export", "parquet", folder, fails=True)
    assert "is there already" in failed.stderr and "hint:" in failed.stderr


def check_traces(ask: Callable[[str], list], database: Path) -> None:
    with sqlite3.connect(database) as source:
        of_trace = "trace_id, experiment_id, name, state, epoch_ms(request_time), duration_ms, session, total_tokens, total_cost"
        theirs = "request_id, experiment_id, trace_name, status, timestamp_ms, execution_time_ms, session_id, total_tokens, total_cost"
        expected = source.execute(f"SELECT {theirs} FROM trace_info ORDER BY 1").fetchall()
        assert ask(f"SELECT {of_trace} FROM '@/traces.parquet' ORDER BY 1") == [list(row) for row in expected]
        columns = "trace_id, span_id, parent_span_id, name, type, status, {}, {}, duration_ns, {}, {}, total_cost"
        expected = source.execute(
            f"SELECT {columns.format('start_time_unix_nano', 'end_time_unix_nano', 'model_name', 'model_provider')} FROM spans ORDER BY 1, 2"
        ).fetchall()
        found = ask(f"SELECT {columns.format('start_time_ns', 'end_time_ns', 'model', 'provider')} FROM '@/spans.parquet' ORDER BY 1, 2")
        assert found == [list(row) for row in expected] and len(found) == 12
        # Of a link to an issue, the name of the issue.
        value = "iif(assessment_type = 'issue', value -> '$.issue_name', value)"
        values = source.execute(f"SELECT assessment_id, {value} FROM assessments ORDER BY 1").fetchall()
    found = ask("SELECT assessment_id, value FROM '@/assessments.parquet' ORDER BY 1")
    assert [(id, json.loads(value)) for id, value in found] == [(id, json.loads(value)) for id, value in values]
    # What people ask of them: the tokens of each model, by what the spans say, and how often what was judged good.
    tokens = ask("SELECT model, sum(total_tokens), count(*) FROM '@/spans.parquet' WHERE type = 'LLM' GROUP BY 1")
    assert tokens == [["m-1", 5 * 15 + 0 + 1 + 2 + 3 + 9, 5]]
    asked = ask("SELECT DISTINCT outputs::JSON ->> 'text', inputs::JSON ->> '$' FROM '@/spans.parquet' WHERE name = 'model'")
    assert asked == [["fine", "plain text"]]
    exception = ask("SELECT events::JSON ->> '$[0].attributes.\"exception.message\"' FROM '@/spans.parquet' WHERE name = 'inner'")
    assert exception == [["it broke"]]
    judged = ask("SELECT name, avg(score), bool_and(valid) FROM '@/assessments.parquet' WHERE kind = 'feedback' GROUP BY 1 ORDER BY 1")
    assert judged == [["broken", None, True], ["good", 0.5, False], ["score", 0.25, True], ["words", None, True]]
