"""Reads the tables of two MLflow databases and says where they differ."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

# Ids of links that nothing refers to from outside; Stele makes its own, from what they link.
SURROGATES = {("inputs", "input_uuid"), ("input_tags", "input_uuid"), ("entity_associations", "association_id")}
# How often MLflow wrote spans, which it compares with itself only.
SURROGATES |= {("trace_info", "db_payload_generation")}
# Sealed by the old server; a webhook that had a secret comes without it, and disabled.
SURROGATES |= {("webhooks", "secret"), ("webhooks", "status")}
# JSON is the same in whatever order its keys are written.
DOCUMENTS = {
    "spans": {"content"},
    "assessments": {"value", "error", "assessment_metadata"},
    "evaluation_datasets": {"schema", "profile"},
    "label_schemas": {"input_config"},
    "evaluation_dataset_records": {"inputs", "outputs", "expectations", "tags", "source"},
}
# Columns that MLflow fills with constants since 1.0, and that only older runs have values in.
OBSOLETE = {("runs", name) for name in ("source_type", "source_name", "entry_point_name", "source_version")}


def tables(database: Path, without: set[tuple[str, str]] = SURROGATES) -> dict[str, list[tuple]]:
    """The rows of every table, sorted. Tags of inputs stand with what their input links."""
    found = {}
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in names:
            columns = [row[1] for row in connection.execute(f'PRAGMA table_xinfo("{table}")')]
            kept = ", ".join(f'"{table}"."{column}"' for column in columns if (table, column) not in without)
            query = f'SELECT {kept} FROM "{table}"'
            if table == "input_tags":
                query = f"""SELECT {kept}, inputs.source_id, inputs.destination_id
                    FROM input_tags JOIN inputs ON inputs.input_uuid = input_tags.input_uuid"""
            if table == "webhooks":
                query += " WHERE deleted_timestamp IS NULL"
            if table == "webhook_events":
                query += " WHERE webhook_id IN (SELECT webhook_id FROM webhooks WHERE deleted_timestamp IS NULL)"
            names = [column for column in columns if (table, column) not in without]
            found[table] = sorted((read(table, names, row) for row in connection.execute(query)), key=repr)
    return found


def read(table: str, columns: list[str], row: tuple) -> tuple:
    documents = DOCUMENTS.get(table, set())
    return tuple(document(value) if column in documents else value for column, value in zip(columns, row, strict=False))


def document(text: str | None) -> str | None:
    """The text of a document with its keys in order. The attributes of a span are texts of documents themselves."""
    value = json.loads(text) if text else None
    if isinstance(value, dict) and "attributes" in value and "links" in value:
        value["attributes"] = {key: json.loads(inner) for key, inner in value["attributes"].items()}
    return None if value is None else json.dumps(value, sort_keys=True)


def schema(database: Path) -> list[tuple]:
    """Tables, indexes and triggers. MLflow writes checks, and what is in them, in the order of a set, which varies."""

    def in_order(sql: str | None) -> list[str]:
        sql = re.sub(r"IN \(([^)]*)\)", lambda found: f"IN ({', '.join(sorted(found[1].split(', ')))})", sql or "")
        return sorted(re.split(r"\s*,?\s*\n\s*", sql))

    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        found = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master")
        return sorted((kind, name, table, in_order(sql)) for kind, name, table, sql in found)


def differences(left: dict[str, list[tuple]], right: dict[str, list[tuple]]) -> list[str]:
    found = [f"only one has the table {name}" for name in left.keys() ^ right.keys()]
    for table in left.keys() & right.keys():
        for row in left[table]:
            if row not in right[table]:
                found.append(f"{table}: missing {row}")
        for row in right[table]:
            if row not in left[table]:
                found.append(f"{table}: added {row}")
    return found
