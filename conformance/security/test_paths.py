"""No path, name or address in a request reaches a file outside of the artifact root: not to read, write, list or delete it.

The corpus is every spelling used by the published advisories on MLflow's file handling, at every place that takes a path, a name or an
address; the advisories themselves follow in their original form.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from urllib.parse import quote, unquote

import pytest
from hostile_site import API, PROXY, Site
from servers import peer_is_mlflow
from spellings import UP, leaves_the_root, spellings
from raw_http import JSON, Answer

known_of_the_peer = pytest.mark.xfail(peer_is_mlflow(), reason="MLflow reads any place an experiment or version names")

# Method, target, body. `{path}` takes a spelling as it stands in a URL, `{plain}` the same decoded once, inside of JSON.
# A body of `bytes` marks an upload.
PLACES: dict[str, tuple[str, str, str | None]] = {
    "download": ("GET", PROXY + "/artifacts/{path}", None),
    "download in a run": ("GET", PROXY + "/artifacts/{experiment}/{run}/artifacts/{path}", None),
    "head": ("HEAD", PROXY + "/artifacts/{path}", None),
    "upload": ("PUT", PROXY + "/artifacts/{path}", "overwritten"),
    "upload in a run": ("PUT", PROXY + "/artifacts/{experiment}/{run}/artifacts/{path}", "overwritten"),
    "delete": ("DELETE", PROXY + "/artifacts/{path}", None),
    "delete in a run": ("DELETE", PROXY + "/artifacts/{experiment}/{run}/artifacts/{path}", None),
    "ajax download": ("GET", "/ajax-api/2.0/mlflow-artifacts/artifacts/{path}", None),
    "ajax upload": ("PUT", "/ajax-api/2.0/mlflow-artifacts/artifacts/{path}", "overwritten"),
    "ajax delete": ("DELETE", "/ajax-api/2.0/mlflow-artifacts/artifacts/{path}", None),
    "list": ("GET", PROXY + "/artifacts?path={path}", None),
    "list a run": ("GET", API + "/artifacts/list?run_id={run}&path={path}", None),
    "multipart create": ("POST", PROXY + "/mpu/create/{path}", '{"path": "x", "num_parts": 1}'),
    "multipart complete": ("POST", PROXY + "/mpu/complete/{path}", '{"path": "x", "upload_id": "u", "parts": [{}]}'),
    "multipart abort": ("POST", PROXY + "/mpu/abort/{path}", '{"path": "x", "upload_id": "u"}'),
    "multipart field": ("POST", PROXY + "/mpu/create/x", '{"path": {plain}, "num_parts": 1}'),
    "presigned": ("GET", PROXY + "/presigned/{path}", None),
    "presigned upload": ("POST", API + "/artifacts/presigned-upload-url", '{"run_id": "{run}", "path": {plain}}'),
    "presigned download": ("POST", API + "/artifacts/presigned-download-url", '{"run_id": "{run}", "path": {plain}}'),
    "file of a run": ("GET", "/get-artifact?run_id={run}&path={path}", None),
    "file of a run, old name": ("GET", "/get-artifact?run_uuid={run}&path={path}", None),
    "file of a version": ("GET", "/model-versions/get-artifact?name={model}&version=1&path={path}", None),
    "file of a logged model": (
        "GET",
        "/ajax-api/2.0/mlflow/logged-models/{logged_model}/artifacts/files?artifact_file_path={path}",
        None,
    ),
    "list of a logged model": (
        "GET",
        API + "/logged-models/{logged_model}/artifacts/directories?artifact_directory_path={path}",
        None,
    ),
    "upload by the UI": ("POST", "/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path={path}", "overwritten"),
    "run id of a list": ("GET", API + "/artifacts/list?run_id={path}", None),
    "run id of a file": ("GET", "/get-artifact?run_id={path}&path=secret.txt", None),
    "model name of a file": ("GET", "/model-versions/get-artifact?name={path}&version=1&path=secret.txt", None),
    "logged model id": ("GET", API + "/logged-models/{path}", None),
    "logged model id of a list": ("GET", API + "/logged-models/{path}/artifacts/directories", None),
    "static file": ("GET", "/static-files/{path}", None),
    "no route": ("GET", "/{path}", None),
}

# Here the path is not a path to the server, or there is nothing to be multipart about on a local store.
MAY_BE_501 = {"multipart field"}
# A target that goes elsewhere once a slash is in it.
MAY_BE_ANOTHER_ROUTE = {"no route", "logged model id"}


def ask(site: Site, place: str, spelling: str) -> Answer:
    method, target, body = PLACES[place]
    in_query = "?" in target and target.index("?") < target.find("{path}")
    written = spelling.replace("&", "%26").replace("+", "%2B") if in_query else spelling
    names = vars(site) | {"path": written}
    for name in ("experiment", "run", "model", "logged_model", "path"):
        target = target.replace("{" + name + "}", str(names[name]))
        body = body.replace("{" + name + "}", str(names[name])) if body and name != "path" else body
    if body is not None:
        body = body.replace("{plain}", json.dumps(unquote(spelling)))
    is_json = body is not None and body.startswith("{")
    return site.wire.send(method, target, body.encode() if body is not None else None, JSON if is_json else None)


@pytest.fixture(autouse=True)
def nothing_outside_changes(site: Site) -> Iterator[None]:
    before = site.tree()
    yield
    assert site.tree() == before
    kept = f"{PROXY}/artifacts/{site.experiment}/{site.run}/artifacts/folder/kept.txt"
    assert site.wire.send("GET", kept).body == b"kept"


@pytest.mark.parametrize("place", PLACES)
def test_every_spelling(place: str, site: Site) -> None:
    wrong: list[str] = []
    for name, spelling in spellings(str(site.canary)).items():
        answer = ask(site, place, spelling)
        told = f"{name} ({spelling[:80]}): {answer}"
        if site.leaks(answer.body):
            wrong.append(f"LEAK {told}")
        elif answer.status >= 500 and not (answer.status == 501 and not must_be_refused(place, spelling)):
            wrong.append(told)
        elif must_be_refused(place, spelling) and not 400 <= answer.status < 500:
            wrong.append(told)
    if peer_is_mlflow() and not any(told.startswith("LEAK") for told in wrong):
        return  # it fails with 500 on names that are too long, and takes some strange ones
    assert not wrong, "\n".join(wrong)


def must_be_refused(place: str, spelling: str) -> bool:
    if place in MAY_BE_501:
        return False
    # What follows a folder is no longer absolute.
    written = "folder/" + spelling if place.endswith("in a run") else spelling
    return leaves_the_root(written) and place not in MAY_BE_ANOTHER_ROUTE


def test_fragments_that_are_not_encoded(site: Site) -> None:
    """A `#` in a request line is not HTTP; whatever is made of it stays inside."""
    for target in (
        f"a#/{UP}{site.canary}",
        f"#/{UP}{site.canary}",
        f"a?/{UP}{site.canary}",
        f"?path={UP}{site.canary}",
    ):
        for method, body in (("GET", None), ("PUT", b"overwritten"), ("DELETE", None)):
            answer = site.wire.send(method, f"{PROXY}/artifacts/{target}", body)
            assert not site.leaks(answer.body) and answer.status < 500, f"{method} {target}: {answer}"


@known_of_the_peer
def test_links_in_the_root(site: Site) -> None:
    """Somebody who can put a link into the root (an old backup, a mounted folder) does not open the rest of the disk."""
    folder = site.server.artifact_root / site.experiment / site.run / "artifacts"
    if not folder.is_dir():
        pytest.skip("the server keeps its artifacts in another layout")
    link, file_link = folder / "link", folder / "link.txt"
    os.symlink(site.outside, link)
    os.symlink(site.canary, file_link)
    base = f"{PROXY}/artifacts/{site.experiment}/{site.run}/artifacts"
    try:
        for target in (f"{base}/link/secret.txt", f"{base}/link.txt", f"{base}/link/{site.listed}"):
            for method, body in (("GET", None), ("PUT", b"overwritten")):
                answer = site.wire.send(method, target, body)
                assert not site.leaks(answer.body) and 400 <= answer.status < 500, f"{method} {target}: {answer}"
        for target in (
            f"{API}/artifacts/list?run_id={site.run}&path=link",
            f"{PROXY}/artifacts?path={site.experiment}/{site.run}/artifacts/link",
            f"/get-artifact?run_id={site.run}&path=link/secret.txt",
            f"/get-artifact?run_id={site.run}&path=link.txt",
        ):
            answer = site.wire.send("GET", target)
            assert not site.leaks(answer.body) and answer.status < 500, f"{target}: {answer}"
        for target in (f"{base}/link/secret.txt", f"{base}/link"):
            site.wire.send("DELETE", target)
            assert site.canary.read_text() == site.secret
    finally:
        for path in (link, file_link):
            path.unlink(missing_ok=True)


def locations(site: Site) -> dict[str, str]:
    """Addresses for a whole tree of artifacts, all meaning the folder outside."""
    folder, twin = str(site.outside), f"{site.server.artifact_root}-twin"
    return {
        "absolute": folder,
        "file URI": f"file://{folder}",
        "file URI, one slash": f"file:{folder}",
        "file URI, host": f"file://localhost{folder}",
        "file URI, dots": f"file:///{UP}{folder.lstrip('/')}",
        "file URI, encoded dots": f"file:///{UP.replace('..', '%2e%2e')}{folder.lstrip('/')}",
        "relative": UP + folder.lstrip("/"),
        "twin": twin,
        "proxy, dots": f"mlflow-artifacts:/{UP}{folder.lstrip('/')}",
        "proxy, encoded dots": f"mlflow-artifacts:/{UP.replace('..', '%2e%2e')}{folder.lstrip('/')}",
        "proxy, absolute": f"mlflow-artifacts://{folder}",
        "proxy, twice absolute": f"mlflow-artifacts:///{folder}",
        "proxy, fragment": f"mlflow-artifacts:/#/{UP}{folder.lstrip('/')}",
        "proxy, query": f"mlflow-artifacts:/?/{UP}{folder.lstrip('/')}",
        "proxy, twin": "mlflow-artifacts:/../artifacts-twin",
        "http, fragment": f"http:///#/{UP}{folder.lstrip('/')}",
        "http, query": f"http:///?/{UP}{folder.lstrip('/')}",
        "http, parameters": f"http:///;/{UP}{folder.lstrip('/')}",
        "dbfs": f"dbfs:/{UP}{folder.lstrip('/')}",
        "double slash": f"//{folder}",
        "proc": f"//proc/self/root{folder}",
        "backslashes": folder.replace("/", "\\"),
        "NUL": f"{folder}\x00",
    }


LOCATIONS = tuple(locations(Site(type("S", (), {"artifact_root": "/r"})(), None, "/x", "", "")))  # type: ignore[arg-type]


@known_of_the_peer
@pytest.mark.parametrize("kind", LOCATIONS)
def test_experiment_locations(kind: str, site: Site) -> None:
    """An experiment may point anywhere, as with MLflow; what the server itself does on its behalf stays inside."""
    location = locations(site)[kind]
    created = site.wire.call("POST", f"{API}/experiments/create", {"name": f"at {kind}", "artifact_location": location})
    if created.status != 200:
        assert 400 <= created.status < 500, created
        return
    experiment = created.json()["experiment_id"]
    made = site.wire.call("POST", f"{API}/runs/create", {"experiment_id": experiment, "start_time": 1})
    assert made.status < 500, made
    if made.status != 200:
        return
    run = made.json()["run"]["info"]["run_id"]
    # The root of a run lies two folders below the location.
    for path in ("secret.txt", "x", site.listed, quote(f"{UP}{site.canary}")):
        for target in (f"/get-artifact?run_id={run}&path={path}", f"{API}/artifacts/list?run_id={run}&path={path}"):
            answer = site.wire.send("GET", target)
            # An error may repeat the name that was asked for.
            said = answer.body.replace(path.encode(), b"") if answer.status >= 400 else answer.body
            assert not site.leaks(said) and answer.status < 500, f"{target}: {answer}"
    outcome = site.wire.send(
        "POST", f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path=secret.txt", b"overwritten"
    )
    assert outcome.status < 500, outcome
    site.wire.call("POST", f"{API}/runs/delete", {"run_id": run})
    site.wire.call("POST", f"{API}/experiments/delete", {"experiment_id": experiment})


@pytest.mark.parametrize("kind", LOCATIONS)
@pytest.mark.parametrize("with_run", (True, False), ids=("with run", "without run"))
def test_version_sources(kind: str, with_run: bool, site: Site) -> None:
    source = locations(site)[kind]
    name = f"from {kind} {with_run}".replace(":", "").replace("/", "")
    site.post("/registered-models/create", {"name": name})
    request = {"name": name, "source": source} | ({"run_id": site.run} if with_run else {})
    created = site.wire.call("POST", f"{API}/model-versions/create", request)
    assert created.status < 500 or peer_is_mlflow(), created
    if kind.startswith(("absolute", "file URI", "relative", "twin", "double slash", "proxy, dots", "proxy, twin")):
        assert created.status == 400, f"a source outside of the run: {created}"
    if created.status != 200:
        return
    for path in ("secret.txt", site.listed, quote(f"{UP}{site.canary}")):
        answer = site.wire.send("GET", f"/model-versions/get-artifact?name={quote(name)}&version=1&path={path}")
        assert not site.leaks(answer.body), answer
        assert 400 <= answer.status < 500 or peer_is_mlflow(), answer


@known_of_the_peer
def test_the_server_calls_nobody(site: Site) -> None:
    """CVE-2023-6974, CVE-2025-52967: an address in a request is data, not somewhere to go."""
    visitors: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0.2)
        port, done = trap.getsockname()[1], threading.Event()

        def wait_for_visitors() -> None:
            while not done.is_set():
                try:
                    visitor, address = trap.accept()
                except TimeoutError:
                    continue
                visitors.append(address)
                visitor.close()

        watcher = threading.Thread(target=wait_for_visitors)
        watcher.start()
        try:
            for scheme in ("http", "ftp", "mlflow-artifacts", "hdfs"):
                address = f"{scheme}://127.0.0.1:{port}/x"
                name = f"calls {scheme}"
                site.post("/registered-models/create", {"name": name})
                site.wire.call("POST", f"{API}/model-versions/create", {"name": name, "source": address})
                site.wire.send("GET", f"/model-versions/get-artifact?name={quote(name)}&version=1&path=x")
                created = site.wire.call(
                    "POST", f"{API}/experiments/create", {"name": name, "artifact_location": address}
                )
                if created.status == 200:
                    request = {"experiment_id": created.json()["experiment_id"], "start_time": 1}
                    run = site.post("/runs/create", request)["run"]["info"]["run_id"]
                    site.wire.send("GET", f"/get-artifact?run_id={run}&path=x")
                    site.wire.send("GET", f"{API}/artifacts/list?run_id={run}")
        finally:
            done.set()
            watcher.join()
    assert not visitors


@pytest.mark.parametrize("spelling", ("../../x", "/etc/x", "..", "a/../b", "a\\b", "a\x00b", "C:/x", "file:///etc/x"))
def test_names_do_not_become_paths(spelling: str, site: Site) -> None:
    """Names of experiments, models, tags, params and metrics are kept or refused, but never used as a place on the disk."""
    requests: list[tuple[str, dict[str, object]]] = [
        ("/experiments/create", {"name": spelling}),
        ("/registered-models/create", {"name": spelling}),
        ("/registered-models/rename", {"name": site.model, "new_name": spelling + "/"}),
        ("/registered-models/alias", {"name": site.model, "alias": spelling, "version": "1"}),
        ("/logged-models", {"experiment_id": site.experiment, "name": spelling}),
        ("/runs/create", {"experiment_id": site.experiment, "run_name": spelling, "start_time": 1}),
        ("/runs/set-tag", {"run_id": site.run, "key": spelling, "value": spelling}),
        ("/runs/log-parameter", {"run_id": site.run, "key": spelling, "value": "v"}),
        ("/runs/log-metric", {"run_id": site.run, "key": spelling, "value": 1, "timestamp": 1}),
        ("/runs/create", {"experiment_id": spelling, "start_time": 1}),
        ("/runs/log-metric", {"run_id": spelling, "key": "k", "value": 1, "timestamp": 1}),
    ]
    for path, content in requests:
        answer = site.wire.call("POST", API + path, content)
        assert answer.status < 500 or peer_is_mlflow(), f"{path}: {answer}"
        assert not site.leaks(answer.body)


# The advisories in the form in which they were published. {canary} is the file outside, {folder} its folder, {up} a long way up.
PUBLISHED: dict[str, list[tuple[str, str, dict[str, str] | str | None]]] = {
    "CVE-2023-1177": [
        ("POST", API + "/model-versions/create", {"name": "paths", "source": "file://{folder}"}),
        ("POST", API + "/model-versions/create", {"name": "paths", "source": "{folder}"}),
    ],
    "CVE-2023-2356": [
        ("POST", API + "/model-versions/create", {"name": "paths", "source": "{up}{folder}"}),
        ("GET", "/model-versions/get-artifact?name=paths&version=1&path={up}{canary}", None),
    ],
    "CVE-2023-2780": [
        ("POST", API + "/model-versions/create", {"name": "paths", "source": "//proc/self/root{folder}"})
    ],
    "CVE-2023-3765": [
        ("GET", PROXY + "/artifacts?path=C:%5c..%5c{up}{folder}", None),
        ("GET", PROXY + "/artifacts?path={folder}", None),
    ],
    "CVE-2023-6015": [
        ("PUT", PROXY + "/artifacts/{up}{canary}", "overwritten"),
        ("PUT", PROXY + "/artifacts/{canary}", "overwritten"),
    ],
    "CVE-2023-6018": [
        ("PUT", "/ajax-api/2.0/mlflow-artifacts/artifacts/%2e%2e/%2e%2e/outside/secret.txt", "overwritten")
    ],
    "CVE-2023-6753": [("GET", PROXY + "/artifacts/..%5c..%5coutside%5csecret.txt", None)],
    "CVE-2023-6831": [("DELETE", PROXY + "/artifacts/%252e%252e/%252e%252e/outside/secret.txt", None)],
    "CVE-2023-6909": [
        ("GET", PROXY + "/artifacts?path=%23/{up}{folder}", None),
        ("GET", "/get-artifact?run_id={run}&path=a%23/{up}{canary}", None),
    ],
    "CVE-2023-6975": [("PUT", PROXY + "/artifacts/..%2f..%2foutside%2fsecret.txt", "overwritten")],
    "CVE-2023-6976": [("POST", "/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path={up}{canary}", "overwritten")],
    "CVE-2023-6977": [
        ("POST", API + "/model-versions/create", {"name": "paths", "source": "file://localhost{folder}"})
    ],
    "CVE-2024-0520": [("PUT", PROXY + "/artifacts/x/%2e%2e%2f%2e%2e%2f%2e%2e%2foutside%2fsecret.txt", "overwritten")],
    "CVE-2024-1483": [("GET", "/model-versions/get-artifact?name=paths&version=1&path=%23/{up}{canary}", None)],
    "CVE-2024-1558": [
        (
            "POST",
            API + "/model-versions/create",
            {"name": "paths", "source": "mlflow-artifacts:/{up}{folder}", "run_id": "{run}"},
        )
    ],
    "CVE-2024-1560": [
        ("DELETE", PROXY + "/artifacts/%252e%252e%252f%252e%252e%252foutside%252fsecret.txt", None),
        ("DELETE", PROXY + "/artifacts/file:%252f%252f{canary}", None),
    ],
    "CVE-2024-1593": [
        ("GET", PROXY + "/artifacts?path=;/{up}{folder}", None),
        ("GET", PROXY + "/artifacts/a;%2f{up}{canary}", None),
    ],
    "CVE-2024-1594": [
        (
            "POST",
            API + "/experiments/create",
            {"name": "1594", "artifact_location": "mlflow-artifacts:/x#/{up}{folder}"},
        )
    ],
    "CVE-2024-2928": [
        ("POST", API + "/experiments/create", {"name": "2928", "artifact_location": "http:///x#/{up}{folder}"})
    ],
    "CVE-2024-3573": [("POST", API + "/model-versions/create", {"name": "paths", "source": "file:{folder}"})],
    "CVE-2024-3848": [
        ("POST", API + "/experiments/create", {"name": "3848", "artifact_location": "http:///x?/{up}{folder}"})
    ],
    "CVE-2024-8859": [("POST", API + "/model-versions/create", {"name": "paths", "source": "file:///{up}{folder}"})],
    "CVE-2025-11201": [
        ("POST", API + "/model-versions/create", {"name": "paths", "source": "{folder}/../outside", "run_id": "{run}"})
    ],
}


@pytest.mark.parametrize("advisory", PUBLISHED)
def test_published(advisory: str, site: Site) -> None:
    names = {
        "{up}": UP,
        "{canary}": str(site.canary),
        "{folder}": str(site.outside),
        "{run}": site.run,
    }

    def filled(text: str) -> str:
        for name, value in names.items():
            text = text.replace(name, value)
        return text

    for method, target, body in PUBLISHED[advisory]:
        if isinstance(body, dict):
            answer = site.wire.call(method, target, {name: filled(value) for name, value in body.items()})
        else:
            answer = site.wire.send(method, filled(target), body.encode() if body else None)
        assert not site.leaks(answer.body), f"{method} {target}: {answer}"
        # A backslash is an ordinary character of a name on this system: no file is there.
        refused = 400 <= answer.status < 500
        assert refused, f"{method} {target}: {answer}"
