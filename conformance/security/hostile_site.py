"""A server with files beside its artifact root that nobody may reach."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from servers import Server
from raw_http import Wire

API = "/api/2.0/mlflow"
PROXY = "/api/2.0/mlflow-artifacts"


@dataclass
class Site:
    """The server, something of each kind in it, and the canaries outside of its artifact root."""

    server: Server
    wire: Wire
    outside: Path
    secret: str
    listed: str
    experiment: str = ""
    run: str = ""
    model: str = ""
    logged_model: str = ""

    @property
    def canary(self) -> Path:
        return self.outside / "secret.txt"

    def tree(self) -> dict[str, str]:
        """Every file outside, with its content. Also the folder that the server's own data is in, without that data."""
        found: dict[str, str] = {}
        for folder, _, files in os.walk(self.outside.parent):
            if Path(folder).is_relative_to(self.server.data):
                continue
            for name in files:
                path = Path(folder) / name
                found[str(path)] = path.read_text()
            found[folder] = ""
        for path in self.server.data.iterdir():
            if not path.name.startswith(("stele.db", "mlflow.db", "server.log")):
                found[str(path)] = ""
        return found

    def leaks(self, body: bytes) -> bool:
        return self.secret.encode() in body or self.listed.encode() in body

    def post(self, path: str, content: dict[str, Any]) -> Any:
        return self.wire.expect("POST", API + path, content)


def furnish(site: Site) -> None:
    site.experiment = site.post("/experiments/create", {"name": "paths"})["experiment_id"]
    run = site.post("/runs/create", {"experiment_id": site.experiment, "start_time": 1})["run"]["info"]
    site.run, site.model = run["run_id"], "paths"
    base = f"{PROXY}/artifacts/{site.experiment}/{site.run}/artifacts"
    for name in ("kept.txt", "folder/kept.txt"):
        assert site.wire.send("PUT", f"{base}/{name}", b"kept").status == 200
    site.post("/registered-models/create", {"name": site.model})
    site.post(
        "/model-versions/create", {"name": site.model, "source": f"{run['artifact_uri']}/folder", "run_id": site.run}
    )
    created = site.post("/logged-models", {"experiment_id": site.experiment, "name": "paths"})
    site.logged_model = created["model"]["info"]["model_id"]
