"""Every command, over a server and over the data folder that a server has left."""

import json
import shutil
import subprocess

import pytest
import requests
import servers

from conftest import COLOUR

# What has a shell read a script without running it.
BARE = {"bash": ["-n"], "zsh": ["-n"], "fish": ["--no-execute"]}


@pytest.fixture
def filled(serve, record):
    """A server with two experiments, three runs and a model."""
    server = serve()
    at = record(server)
    iris = at.post("experiments/create", name="iris")["experiment_id"]
    losses = [("loss", step, 1.0 / (step + 1)) for step in range(30)]
    server.runs = [
        at.run("first", iris, [("lr", "0.1"), ("model", "cnn")], losses, [("team", "growth")]),
        at.run("second", iris, [("lr", "0.2"), ("model", "cnn")], [("loss", 0, 0.5), ("odd", 0, "NaN")]),
        at.run("elsewhere", "0"),
    ]
    at.post("registered-models/create", name="churn", description="who leaves")
    for _ in range(2):
        at.post("model-versions/create", name="churn", source=f"runs:/{server.runs[0]}/model", run_id=server.runs[0])
    return server


@pytest.fixture(params=["a server", "the data folder"])
def runs(request, filled):
    """The ids of the runs, once with the server running and once without."""
    if request.param == "the data folder":
        filled.stop()
    return filled.runs


def test_experiments(shell, runs):
    assert [line.split()[1] for line in shell("experiments", "list").out.splitlines()] == ["NAME", "iris", "Default"]
    made = shell("experiments", "create", "new", "--tag", "team=a=b", "--json").document
    assert (made["name"], made["tags"]) == ("new", {"team": "a=b"})
    # The id alone is data; the rest is talk.
    told = shell("experiments", "create", "newer")
    assert told.out.strip().isdigit() and "created" in told.err
    assert shell("experiments", "show", "new", "--json").document == made
    assert shell("experiments", "show", made["id"], "--json").document == made
    shell("experiments", "delete", "new")
    assert "in the trash" in shell("experiments", "show", "new").out
    names = lambda *flags: [e["name"] for e in shell("experiments", "list", "--json", *flags).document["experiments"]]
    assert names() == ["newer", "iris", "Default"]
    assert names("--deleted") == ["new"]
    assert set(names("--with-deleted")) == {"new", "newer", "iris", "Default"}
    shell("experiments", "restore", "new")
    assert names("--filter", "name LIKE 'new%'", "--order-by", "name DESC") == ["newer", "new"]


def test_runs(shell, runs):
    first, second, elsewhere = runs
    listed = shell("runs", "list", "--json").document
    assert {run["id"] for run in listed["runs"]} == set(runs) and listed["more"] is False
    assert len(shell("runs", "list", "-n", 1, "--json").document["runs"]) == 1
    of_iris = shell("runs", "list", "-e", "iris", "--order-by", "params.lr DESC", "--columns", "params.lr,metrics.loss").out
    rows = [line.split() for line in of_iris.splitlines()]
    assert rows[0] == ["RUN", "NAME", "STATUS", "STARTED", "TOOK", "lr", "loss"]
    assert [(row[0], row[1], row[-2], row[-1]) for row in rows[1:]] == [
        (second, "second", "0.2", "0.5"),
        (first, "first", "0.1", "0.0333333"),
    ]
    found = shell("runs", "search", "metrics.loss < 0.1 AND params.model = 'cnn'", "--json").document["runs"]
    assert [run["id"] for run in found] == [first]
    shown = shell("runs", "show", first).out
    for part in (first, "iris", "completed", "12.3 s", "0.0333333", "team  growth", "█", "▁"):
        assert part in shown
    assert shell("runs", "show", first, "--json").document["metrics"]["loss"]["step"] == 29
    shell("runs", "delete", first, second)
    assert {run["id"] for run in shell("runs", "list", "--json").document["runs"]} == {elsewhere}
    shell("runs", "restore", first, second)
    assert {run["id"] for run in shell("runs", "list", "--json").document["runs"]} == set(runs)


def test_compare(shell, runs):
    first, second, _ = runs
    compared = shell("runs", "compare", first, second, "--json").document
    assert [(row["key"], row["differs"]) for row in compared["params"]] == [("lr", True), ("model", False)]
    out = shell("runs", "compare", first, second).out
    assert out.index(first) < out.index(second) and out.index("\nlr ") < out.index("\nmodel ")
    assert "cnn" not in shell("runs", "compare", first, second, "--differences").out


def test_models(shell, runs):
    assert shell("models", "list").out.splitlines()[1].split()[:4] == ["churn", "2", "–", "–"]
    assert [v["version"] for v in shell("models", "versions", "churn", "--json").document["versions"]] == [2, 1]
    shell("models", "stage", "churn", 1, "production")
    refused = shell("models", "stage", "churn", 2, "production", code=5)
    assert "version 1 is there" in refused.err and "hint: --archive-others" in refused.err
    shell("models", "alias", "churn", "champion", 2)
    moved = shell("models", "stage", "churn", "@champion", "production", "--archive-others", "--json").document
    assert (moved["version"], moved["stage"]) == (2, "production")
    assert "champion=2" in shell("models", "show", "churn").out
    shell("models", "alias", "churn", "champion", "--remove")
    assert "champion" not in shell("models", "show", "churn").out


def test_artifacts(shell, runs, tmp_path):
    first = runs[0]
    folder = tmp_path / "model"
    (folder / "deep/er").mkdir(parents=True)
    content = bytes(range(256)) * 5000
    (folder / "weights.bin").write_bytes(content)
    (folder / "deep/er/ä b.txt").write_text("hello\n")
    (folder / "empty").touch()
    shell("artifacts", "put", "model", f"{first}/model")
    shell("artifacts", "put", "model/empty", first)
    assert shell("artifacts", "ls", first).out.split() == ["SIZE", "NAME", "0", "B", "empty", "model/"]
    below = shell("artifacts", "ls", "-r", f"runs:/{first}/model", "--json").document["entries"]
    assert [(e["path"], e["size"]) for e in below if e["kind"] == "file"] == [
        ("model/deep/er/ä b.txt", 6),
        ("model/empty", 0),
        ("model/weights.bin", len(content)),
    ]
    shell("artifacts", "get", f"{first}/model", "copy")
    assert (tmp_path / "copy/weights.bin").read_bytes() == content
    assert (tmp_path / "copy/deep/er/ä b.txt").read_text() == "hello\n"
    assert "there already" in shell("artifacts", "get", f"{first}/empty", "copy/empty", code=1).err
    shell("artifacts", "get", f"{first}/empty", "copy/empty", "--overwrite")
    # A version of a registered model whose source is that folder.
    assert shell("artifacts", "get", "models:/churn/1/deep/er/ä b.txt", "-").out == "hello\n"
    assert "nothing" in shell("artifacts", "ls", f"{first}/nothing", code=3).err
    assert not list(tmp_path.glob("**/*.part"))


def test_a_terminal_is_never_too_narrow(shell, runs):
    with_ids = [["runs", "list"], ["runs", "show", runs[0]], ["runs", "compare", *runs], ["models", "show", "churn"]]
    others = [["models", "list"], ["experiments", "list"], ["--help"], ["runs", "list", "--help"]]
    for columns in (80, 100, 160):
        for line in [*with_ids, *others]:
            shown = COLOUR.sub("", shell.on_terminal(columns, *line))
            assert max(map(len, shown.splitlines())) <= columns, shown
            if line in with_ids:
                assert runs[0] in shown, "an id is never cut"


def test_colours_only_for_people(shell, runs):
    assert "\x1b[" in shell.on_terminal(80, "runs", "list")
    assert "\x1b" not in shell("runs", "list").out
    shell.environment["NO_COLOR"] = "1"
    assert "\x1b[3" not in shell.on_terminal(80, "runs", "list")


def test_what_a_client_stored_does_not_steer_the_terminal(shell, serve, record):
    at = record(serve())
    run = at.run("a\x1b[31mred\nline", params=[("clear", "\x1b[2J")], tags=[("title", "\x1b]0;title\x07"), ("csi", "\x9b2J")])
    for line in (["runs", "list"], ["runs", "show", run]):
        out = shell(*line).out
        assert not [c for c in out if c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160)], out
    assert shell("runs", "show", run, "--json").document["name"] == "a\x1b[31mred\nline"


def test_json_is_one_document_whatever_happens(shell, runs):
    for line in (["runs", "list"], ["runs", "delete", runs[0]], ["runs", "restore", runs[0]], ["experiments", "delete", "iris"]):
        told = shell(*line, "--json")
        json.loads(told.out)
        assert told.err == ""


def test_completions(shell):
    for name in ("bash", "zsh", "fish"):
        script = shell("completions", name).out
        assert "stele" in script
        if program := shutil.which(name):
            # A shell that is here reads it without a complaint.
            ran = subprocess.run([program, *BARE[name]], input=script, capture_output=True, text=True, timeout=60)
            assert (ran.returncode, ran.stderr) == (0, ""), ran.stderr
    file = shell.folder / "stele.bash"
    file.write_text(shell("completions", "bash").out)
    asked = f"source {file}; COMP_WORDS=(stele runs se); COMP_CWORD=2; _stele stele se runs; echo ${{COMPREPLY[@]}}"
    assert subprocess.run(["bash", "-c", asked], capture_output=True, text=True, timeout=60).stdout.split() == ["search"]


def test_comments_on_versions(shell, runs):
    shell("review", "comment", "churn", "1", "looks fine")
    found = shell("review", "list", "churn", "1", "--json").document["reviews"]
    assert [(review["review"], review["reason"]) for review in found] == [("comment", "looks fine")]
    assert "looks fine" in shell("review", "list", "churn", "1").out
    assert "<TEXT>" in shell("review", "comment", "churn", "1", code=2).err


def test_lists_of_nothing_say_so(shell, serve):
    serve()
    lines = {"gate": "gates", "policy": "policies", "models": "models", "webhooks": "webhooks", "runs": "runs"}
    for command, things in lines.items():
        told = shell(command, "list")
        assert told.err == f"there are no {things} to show\n" and told.out.count("\n") == 1


def test_narrow_terminals_show_what_was_asked_for(shell, serve, record):
    at = record(serve())
    run = at.run("a run with a name that is long", params=[("optimizer", "stochastic gradient descent")], metrics=[("loss", 0, 0.5)])
    shown = COLOUR.sub("", shell.on_terminal(80, "runs", "list", "--columns", "metrics.loss,params.optimizer"))
    table = [line for line in shown.splitlines() if line.startswith(("RUN", run))]
    assert len(table) == 2 and all(len(line) <= 80 for line in table), shown
    assert "STATUS" in table[0] and "STARTED" not in table[0] and "stochastic" in table[1], shown


def test_a_server_says_where_it_is_as_a_document(shell):
    line = [str(servers.stele_binary()), "serve", "--port", "0", "--json"]
    server = subprocess.Popen(line, cwd=shell.folder, env=shell.env(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        told = b""
        while not told.endswith(b"}\n"):
            piece = server.stdout.readline()
            assert piece, told
            told += piece
        document = json.loads(told)
        assert requests.get(f"{document['url']}/health", timeout=10).text == "OK"
        assert document["artifacts"].endswith("artifacts") and document["database"].startswith("sqlite:")
    finally:
        server.terminate()
        assert server.wait(timeout=20) == 0
