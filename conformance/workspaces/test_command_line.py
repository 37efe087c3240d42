"""The command line in a workspace."""

import json
import subprocess

import servers


def stele(server, *arguments, workspace=None):
    inside = ["--in-workspace", workspace] if workspace else []
    return subprocess.run(
        [str(servers.stele_binary()), *arguments, "--server", server.url, "--json", *inside],
        capture_output=True, text=True, timeout=60, cwd=server.data, check=False,
    )  # fmt: skip


def test_commands_are_in_the_workspace_that_they_name(server, client, two, ask):
    for workspace in two:
        made = ask(workspace, "POST", "experiments/create", json={"name": f"of {workspace}"})
        assert made.ok, made.text
    for workspace in two:
        told = stele(server, "experiments", "list", workspace=workspace)
        assert told.returncode == 0, told.stderr
        names = {experiment["name"] for experiment in json.loads(told.stdout)["experiments"]}
        assert names & {f"of {other}" for other in two} == {f"of {workspace}"}
    assert two[0] not in stele(server, "experiments", "list").stdout


def test_a_workspace_that_is_not_there_is_refused(server):
    told = stele(server, "experiments", "list", workspace="nobody-made-it")
    assert told.returncode != 0 and "nobody-made-it" in told.stderr
