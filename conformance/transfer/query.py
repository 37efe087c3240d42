"""Asks the Parquet files in a folder something with DuckDB, and prints the rows as JSON: `query.py FOLDER SQL`."""

import json
import sys

import duckdb

folder, sql = sys.argv[1:]
print(json.dumps(duckdb.sql(sql.replace("@", folder)).fetchall(), default=str))
