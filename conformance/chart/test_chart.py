"""The Helm chart: what it renders is well formed and fits the server, which is run as its pod would run it."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
import servers
import yaml

CHART = servers.REPOSITORY / "deploy/helm/stele"
HELM = Path(sys.executable).with_name("helm")
ADMINISTRATOR = "administrator.existingSecret=stele-admin"
SCALED = [
    ADMINISTRATOR, "replicas=3", "database.existingSecret=stele-database", "artifacts=s3://models/stele",
    "secretKey.existingSecret=stele-key",
]  # fmt: skip
EVERYTHING = [
    ADMINISTRATOR, "publicUrl=https://ml.example.org:8443", "allowedHosts={ml.internal}", "trustedProxies={10.0.0.0/8}",
    "oidc.issuer=https://login.example.org", "oidc.clientId=stele", "oidc.existingSecret=stele-oidc",
    "env.STELE_WORKSPACES=true", "ingress.enabled=true", "ingress.className=nginx", "networkPolicy.enabled=true",
    "serviceMonitor.enabled=true", "serviceMonitor.existingSecret=stele-metrics",
    "extraEnv[0].name=AWS_REGION", "extraEnv[0].value=eu-west-1",
]  # fmt: skip


def helm(*arguments):
    return subprocess.run([str(HELM), *arguments], capture_output=True, text=True, timeout=120, check=False)


def rendered(values):
    """The objects by their kind."""
    told = helm("template", "stele", str(CHART), *(part for value in values for part in ("--set", value)))
    assert told.returncode == 0, told.stderr
    objects = [document for document in yaml.safe_load_all(told.stdout) if document]
    assert len({document["kind"] for document in objects}) == len(objects)
    return {document["kind"]: document for document in objects}


def refused(values):
    told = helm("template", "stele", str(CHART), *(part for value in values for part in ("--set", value)))
    assert told.returncode != 0
    return told.stderr


def pod(objects):
    return objects["Deployment"]["spec"]["template"]["spec"]


def server_of(objects):
    (container,) = pod(objects)["containers"]
    return container


@pytest.mark.parametrize("values", [[ADMINISTRATOR], SCALED, EVERYTHING], ids=["smallest", "scaled", "everything"])
def test_lint(values):
    told = helm("lint", "--strict", str(CHART), *(part for value in values for part in ("--set", value)))
    assert told.returncode == 0, told.stdout + told.stderr


def test_version_is_that_of_the_server():
    version = re.search(r'^version = "(.+)"$', (servers.REPOSITORY / "Cargo.toml").read_text(), re.MULTILINE)[1]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (version, version)


def test_what_cannot_work_is_refused():
    assert "administrator.existingSecret is needed" in refused([])
    for without, needed in [
        ("database.existingSecret=", "database.existingSecret"),
        ("artifacts=", "artifacts in a bucket"),
        ("secretKey.existingSecret=", "secretKey.existingSecret"),
    ]:
        assert needed in refused([*SCALED, without])
    assert "serviceMonitor.existingSecret is needed" in refused([ADMINISTRATOR, "serviceMonitor.enabled=true"])
    for misspelt in ["replica=2", "artifacts=/folder", "image.pullPolicy=Sometimes", "publicUrl=ml.example.org"]:
        assert refused([ADMINISTRATOR, misspelt])


def test_every_variable_is_a_setting():
    known = set(re.findall(r"`(STELE_\w+)`", (servers.REPOSITORY / "docs/CONFIGURATION.md").read_text()))
    for values in ([ADMINISTRATOR], SCALED, EVERYTHING):
        environment = server_of(rendered(values))["env"]
        names = [variable["name"] for variable in environment]
        assert len(set(names)) == len(names)
        assert {name for name in names if name.startswith("STELE_")} <= known


def test_one_server_has_the_volume():
    objects = rendered([ADMINISTRATOR])
    assert objects["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}
    claim = objects["PersistentVolumeClaim"]
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    volumes = {volume["name"]: volume for volume in pod(objects)["volumes"]}
    assert volumes["data"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert "PodDisruptionBudget" not in objects


def test_several_servers_keep_nothing_in_their_pods():
    objects = rendered(SCALED)
    assert "PersistentVolumeClaim" not in objects and "strategy" not in objects["Deployment"]["spec"]
    assert objects["Deployment"]["spec"]["replicas"] == 3 and "PodDisruptionBudget" in objects
    secrets = {
        variable["name"]: variable["valueFrom"]["secretKeyRef"]["name"]
        for variable in server_of(objects)["env"]
        if "valueFrom" in variable
    }
    assert secrets == {"STELE_DATABASE": "stele-database", "STELE_SECRET_KEY": "stele-key"}


def test_objects_point_at_each_other():
    objects = rendered(EVERYTHING)
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    selectors = [
        objects["Deployment"]["spec"]["selector"]["matchLabels"],
        objects["Service"]["spec"]["selector"],
        objects["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ]
    assert all(selector.items() <= labels.items() for selector in selectors)
    (port,) = objects["Service"]["spec"]["ports"]
    assert port["targetPort"] in {port["name"] for port in server_of(objects)["ports"]}
    (rule,) = objects["Ingress"]["spec"]["rules"]
    backend = rule["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": objects["Service"]["metadata"]["name"], "port": {"name": port["name"]}}
    monitored = objects["ServiceMonitor"]["spec"]
    assert monitored["selector"]["matchLabels"].items() <= objects["Service"]["metadata"]["labels"].items()
    assert pod(objects)["serviceAccountName"] == objects["ServiceAccount"]["metadata"]["name"]


def test_pods_are_confined():
    spec = pod(rendered(EVERYTHING))
    assert spec["securityContext"]["runAsNonRoot"] and not spec["automountServiceAccountToken"]
    # A service called stele would set STELE_PORT to something that is no port.
    assert spec["enableServiceLinks"] is False
    for container in [*spec["initContainers"], *spec["containers"]]:
        confined = container["securityContext"]
        assert confined["readOnlyRootFilesystem"] and not confined["allowPrivilegeEscalation"]
        assert confined["capabilities"] == {"drop": ["ALL"]}


def test_server_runs_as_the_pod_runs_it(tmp_path):
    """Twice, as when a pod is replaced: the second start keeps the password that the administrator has set since."""
    objects = rendered(EVERYTHING)
    port = str(servers.free_port())
    secrets = {"ADMINISTRATOR_PASSWORD": "the first of all passwords", "STELE_OIDC_CLIENT_SECRET": "unused"}
    # The provider is nowhere, and this machine has other folders and ports.
    elsewhere = {
        "PATH": f"{servers.stele_binary().parent}:/usr/bin:/bin", "HOME": str(tmp_path),
        "STELE_DATA": str(tmp_path / "data"), "STELE_PORT": port, "STELE_MLFLOW_UI": "none", "STELE_OIDC_ISSUER": "",
    }  # fmt: skip

    def environment(container):
        given = {variable["name"]: variable.get("value") or secrets[variable["name"]] for variable in container["env"]}
        return given | elsewhere

    (administrator,) = pod(objects)["initContainers"]
    url = f"http://127.0.0.1:{port}"
    passwords = [secrets["ADMINISTRATOR_PASSWORD"], "another one that only they know"]
    for password in passwords:
        made = subprocess.run(
            administrator["command"], env=environment(administrator), cwd=tmp_path, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        with subprocess.Popen(["stele", "serve"], env=environment(server_of(objects)), cwd=tmp_path) as server:
            try:
                await_health(url + server_of(objects)["readinessProbe"]["httpGet"]["path"], server)
                who = requests.get(f"{url}/api/stele/v1/identity", auth=("admin", password), timeout=30)
                assert who.status_code == 200, who.text
                if password == passwords[0]:
                    changed = {"password": passwords[1], "current_password": password}
                    answer = requests.put(
                        f"{url}/api/stele/v1/accounts/admin/password", json=changed, auth=("admin", password), timeout=30
                    )
                    assert answer.ok, answer.text
            finally:
                server.terminate()
        assert server.returncode == 0


def await_health(url, server):
    deadline = time.monotonic() + servers.START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.05)
    pytest.fail("the server did not answer")
