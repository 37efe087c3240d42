"""Downloads the artifacts below `out` of a run: `download.py TRACKING_URI RUN_ID FOLDER`."""

import sys

import mlflow

mlflow.artifacts.download_artifacts(run_id=sys.argv[2], artifact_path="out", dst_path=sys.argv[3], tracking_uri=sys.argv[1])
