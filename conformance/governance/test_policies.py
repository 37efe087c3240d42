"""One rule of a team as each client meets it, and the commands that test and explain rules."""

import json

import pytest
from botocore.exceptions import ClientError
from mlflow.exceptions import MlflowException

CASES = """
[[case]]
title = "a deployer promotes no critical model"
who = "ann"
roles = ["deployer"]
verb = "model:promote"
what = "model:m/3"
model_tags = {{tier = "critical"}}
expect = "deny"
by = "{policy}/critical"

[[case]]
title = "a lead does"
groups = ["ml-leads"]
roles = ["deployer"]
verb = "model:promote"
what = "model:m/3"
model_tags = {{tier = "critical"}}
expect = "{lead}"
"""


def text(model):
    # Servers of other tests share the record: the rule is about this one's model.
    return f"""@id("critical")
@reason("critical models are promoted by ml-leads")
forbid (principal, action == Action::"model:promote", resource)
when {{
  resource.model.name == "{model}" &&
  resource.model.hasTag("tier") && resource.model.getTag("tier") == "critical"
}}
unless {{ principal in Group::"ml-leads" }};
"""


@pytest.fixture
def policy(name, native):
    status, answer = native("PUT", f"policies/{name}", {"text": text(name)})
    assert status == 200, answer
    assert (answer["name"], answer["version"], answer["rules"]) == (name, 1, 1)
    yield name
    native("DELETE", f"policies/{name}")


def test_one_rule_forbids_in_every_script(policy, native, mlflow_client, sm):
    model = policy
    mlflow_client.create_registered_model(model, tags={"tier": "critical"})
    version = mlflow_client.create_model_version(model, "s3://bucket/model").version
    says = f"forbidden by {policy}/critical (critical models are promoted by ml-leads)"
    refused = f"local-owner may not do model:promote to model version '{model}/{version}': {says}"

    for move in (
        lambda: mlflow_client.transition_model_version_stage(model, version, "Production", True),
        lambda: mlflow_client.set_registered_model_alias(model, "production", version),
        lambda: mlflow_client.set_registered_model_alias(model, "champion", version),
    ):
        with pytest.raises(MlflowException) as error:
            move()
        assert error.value.error_code == "PERMISSION_DENIED"
        assert refused in error.value.message

    arn = sm.describe_model_package(ModelPackageName=f"{model}/{version}")["ModelPackageArn"]
    with pytest.raises(ClientError) as error:
        sm.update_model_package(
            ModelPackageArn=arn, ModelLifeCycle={"Stage": "Production", "StageStatus": "Active"}
        )
    assert error.value.response["Error"]["Code"] == "AccessDeniedException"
    assert refused in error.value.response["Error"]["Message"]

    status, problem = native("PUT", f"models/{model}/versions/{version}/stage", {"stage": "production"})
    assert (status, problem["code"], problem["detail"]) == (403, "forbidden", refused)
    assert mlflow_client.get_model_version(model, version).current_stage == "None"
    assert mlflow_client.get_registered_model(model).aliases == {}

    # It is about promoting critical models, and about nothing else.
    sm.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    mlflow_client.set_model_version_tag(model, version, "k", "v")
    mlflow_client.delete_registered_model_tag(model, "tier")
    mlflow_client.transition_model_version_stage(model, version, "Production", True)
    assert sm.describe_model_package(ModelPackageName=arn)["ModelLifeCycle"]["Stage"] == "Production"


def test_wrong_rules_are_refused_with_their_place(name, native):
    for rule, says in (
        ('forbid (principal, action, resource)\nwhen { principal.age > 3 };', f"policy '{name}' line 2, column 8"),
        ('forbid (principal, action == Action::"model:read", resource);', "which rules do not decide"),
        ("permit (principal, action);", f"policy '{name}' line 1, column"),
    ):
        status, problem = native("PUT", f"policies/{name}", {"text": rule})
        assert (status, problem["code"]) == (400, "invalid"), problem
        assert says in problem["detail"]
    status, problem = native("GET", f"policies/{name}")
    assert (status, problem["code"]) == (404, "not_found")


def test_the_commands_apply_test_and_explain(name, stele, mlflow_client, native, tmp_path):
    file, cases = tmp_path / f"{name}.cedar", tmp_path / "cases.toml"
    file.write_text(text(name).replace(f'resource.model.name == "{name}" &&', ""))
    cases.write_text(CASES.format(policy=name, lead="allow"))
    tested = stele("policy", "test", str(file), "--cases", str(cases))
    assert tested.returncode == 0, tested.stderr
    assert tested.stdout.count("ok ") == 2 and f"forbidden by {name}/critical" in tested.stdout
    cases.write_text(CASES.format(policy=name, lead="deny"))
    tested = stele("policy", "test", str(file), "--cases", str(cases))
    assert tested.returncode == 1
    assert "1 of 2 cases came out otherwise than they expect" in tested.stderr and "fails a lead does" in tested.stdout
    cases.write_text("[[case]]\ntitle = 'x'\n")
    assert stele("policy", "test", str(file), "--cases", str(cases)).returncode == 2
    broken = tmp_path / "broken.cedar"
    broken.write_text("forbid (principal, action, resource) when { principal.age > 3 };")
    checked = stele("policy", "test", str(broken))
    assert checked.returncode == 1 and "policy 'broken' line 1, column 45" in checked.stderr

    file.write_text(text(name))
    applied = stele("policy", "apply", str(file))
    assert applied.returncode == 0, applied.stderr
    try:
        mlflow_client.create_registered_model(name)
        version = mlflow_client.create_model_version(name, "s3://bucket/model").version
        what = f"model:{name}/{version}"
        status, answer = native("POST", "policy-explanations", {"verb": "model:promote", "what": what})
        assert (status, answer["allowed"], answer["decided_by"]) == (200, True, "local-owner"), answer
        body = {"verb": "model:promote", "what": what, "model_tags": {"tier": "critical"}}
        status, answer = native("POST", "policy-explanations", body)
        assert (answer["allowed"], answer["decided_by"]) == (False, "rules")
        assert answer["rules"] == [
            {"rule": f"{name}/critical", "reason": "critical models are promoted by ml-leads"}
        ]
        shown = stele("policy", "show", name)
        assert shown.stdout == text(name)
        versions = json.loads(stele("policy", "show", name, "--versions").stdout)["policies"]
        assert [kept["version"] for kept in versions] == [1]
        assert name in stele("policy", "list").stdout
        assert stele("policy", "explain", "nobody", "model:promote", what).returncode == 3
        assert stele("policy", "explain", "nobody", "model:promote", "run:1").returncode == 2
    finally:
        removed = stele("policy", "remove", name)
    assert removed.returncode == 0
    assert stele("policy", "show", name).returncode == 3
    assert 'action "model:promote"' in stele("policy", "schema").stdout
