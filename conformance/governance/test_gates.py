"""Gates as each client meets them."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from mlflow.exceptions import MlflowException

MISSING = ("rule tag: tag 'ticket' is missing", "rule evaluation: there is no evaluation of the version on data set 'd1'")


def version_of(client, model):
    return client.create_model_version(model, "s3://bucket/model").version


def fulfil(native, client, model, version):
    client.set_model_version_tag(model, version, "ticket", "T-1")
    body = {"dataset": "holdout", "digest": "d1", "metrics": {"auc": 0.9}}
    status, answer = native("POST", f"models/{model}/versions/{version}/evaluations", body)
    assert status == 200, answer


def package(sm, model, version):
    return sm.describe_model_package(ModelPackageName=f"{model}/{version}")


def test_mlflow_is_refused_with_every_rule_and_then_let_through(native, mlflow_client, model):
    version = version_of(mlflow_client, model)
    moves = (
        lambda: mlflow_client.transition_model_version_stage(model, version, "Production", True),
        lambda: mlflow_client.set_registered_model_alias(model, "production", version),
        lambda: mlflow_client.set_registered_model_alias(model, "champion", version),
    )
    for move in moves:
        with pytest.raises(MlflowException) as refused:
            move()
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
        assert all(rule in refused.value.message for rule in MISSING), refused.value.message
    assert mlflow_client.get_model_version(model, version).current_stage == "None"
    assert mlflow_client.get_registered_model(model).aliases == {}
    fulfil(native, mlflow_client, model, version)
    for move in moves:
        move()
    assert mlflow_client.get_model_version(model, version).current_stage == "Production"
    _, kept = native("GET", f"models/{model}/versions/{version}/verdicts")
    outcomes = [verdict["outcome"] for verdict in kept["verdicts"]]
    assert outcomes.count("failed") == 3 and outcomes[0] == "passed"


def test_boto3_is_refused_with_every_rule_and_then_let_through(native, mlflow_client, sm, model):
    version = version_of(mlflow_client, model)
    arn = package(sm, model, version)["ModelPackageArn"]
    life = {"Stage": "Production", "StageStatus": "Active"}
    for change in ({"ModelApprovalStatus": "Approved"}, {"ModelLifeCycle": life}):
        with pytest.raises(ClientError) as refused:
            sm.update_model_package(ModelPackageArn=arn, **change)
        error = refused.value.response["Error"]
        assert error["Code"] == "ValidationException"
        assert all(rule in error["Message"] for rule in MISSING), error
    with pytest.raises(ClientError):
        sm.create_model_package(ModelPackageGroupName=model, ModelApprovalStatus="Approved")
    assert package(sm, model, version)["ModelApprovalStatus"] == "PendingManualApproval"
    fulfil(native, mlflow_client, model, version)
    sm.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    sm.update_model_package(ModelPackageArn=arn, ModelLifeCycle=life)
    assert mlflow_client.get_model_version(model, version).current_stage == "Production"


def test_the_native_api_says_what_each_gate_found(native, mlflow_client, model):
    version = version_of(mlflow_client, model)
    status, problem = native("PUT", f"models/{model}/versions/{version}/stage", {"stage": "production"})
    assert (status, problem["code"]) == (409, "gate_failed")
    findings = problem["verdicts"][0]["findings"]
    assert [(finding["rule"], finding["passed"]) for finding in findings] == [("tag", False), ("evaluation", False)]


def test_renaming_is_no_way_around(native, mlflow_client, model):
    free = f"{model}free"
    mlflow_client.create_registered_model(free)
    version = version_of(mlflow_client, free)
    mlflow_client.transition_model_version_stage(free, version, "Production", True)
    mlflow_client.delete_registered_model(model)
    with pytest.raises(MlflowException, match="rule tag"):
        mlflow_client.rename_registered_model(free, model)


def test_values_that_mlflow_logs_about_a_model_are_an_evaluation(native, mlflow_client, name):
    import mlflow
    from mlflow.entities import Dataset, Metric

    mlflow_client.create_registered_model(name)
    rule = {"digest": "d7", "dataset": "holdout", "thresholds": [{"metric": "f1", "at_least": 0.5}]}
    native.gate(f"{name}-g", name, {"stage": "staging"}, {"evaluation": rule})
    experiment = mlflow_client.create_experiment(name)
    run = mlflow_client.create_run(experiment).info.run_id
    logged = mlflow_client.create_logged_model(experiment, name="m", source_run_id=run)
    version = mlflow_client.create_model_version(name, f"models:/{logged.model_id}", model_id=logged.model_id).version
    with pytest.raises(MlflowException, match="no evaluation"):
        mlflow_client.transition_model_version_stage(name, version, "Staging")
    mlflow_client.log_metric(run, "f1", 0.75, dataset_name="holdout", dataset_digest="d7", model_id=logged.model_id)
    mlflow_client.transition_model_version_stage(name, version, "Staging")
    _, listed = native("GET", f"models/{name}/versions/{version}/evaluations")
    assert listed["evaluations"][0]["metrics"] == {"f1": 0.75}


def test_without_authentication_no_approval_counts_and_broken_glass_is_loud(native, mlflow_client, stele, name):
    mlflow_client.create_registered_model(name)
    version = version_of(mlflow_client, name)
    native.gate(f"{name}-g", name, {"stage": "production"}, {"approvals": {"quorum": 1}})
    assert stele("approve", name, version).returncode == 0
    checked = stele("gate", "check", name, version, "--stage", "production", "--json")
    assert checked.returncode == 5
    [verdict] = json.loads(checked.stdout)["verdicts"]
    assert "without authentication" in verdict["findings"][0]["message"]
    refused = stele("promote", name, version)
    assert refused.returncode == 5 and "rule approvals" in refused.stderr
    glass = stele("gate", "break-glass", name, version, "--reason", "outage", "--minutes", "5")
    assert glass.returncode == 0, glass.stderr
    assert stele("promote", name, version).returncode == 0
    listed = stele("gate", "verdicts", name, version)
    assert listed.stdout.startswith("excused:"), listed.stdout
    said = json.loads(stele("review", "list", name, version, "--json").stdout)["reviews"]
    assert [review["review"] for review in said] == ["approve"]


def test_files_of_gates_are_applied(native, mlflow_client, stele, name, tmp_path):
    file = tmp_path / "gates.yaml"
    file.write_text(
        f"gates:\n  - name: {name}\n    models: {name}\n    target: {{stage: staging}}\n"
        "    rules:\n      - tag: {key: checked, value: 'yes'}\n"
    )
    assert stele("gate", "apply", str(file)).returncode == 0
    assert stele("gate", "apply", str(file)).returncode == 0
    shown = json.loads(stele("gate", "show", name, "--json").stdout)
    assert shown["version"] == 1
    file.write_text(file.read_text().replace("rules:", "rulez:"))
    refused = stele("gate", "apply", str(file))
    assert refused.returncode == 2 and "rulez" in refused.stderr
    mlflow_client.create_registered_model(name)
    version = version_of(mlflow_client, name)
    assert stele("gate", "check", name, version, "--stage", "staging").returncode == 5
    mlflow_client.set_model_version_tag(name, version, "checked", "yes")
    assert stele("gate", "check", name, version, "--stage", "staging").returncode == 0
    recorded = stele("evaluation", "record", name, version, "--digest", "d", "-m", "auc=0.9", "-m", "auc@young=0.8")
    assert recorded.returncode == 0, recorded.stderr
    listed = json.loads(stele("evaluation", "list", name, version, "--json").stdout)["evaluations"]
    assert listed[0]["slices"] == {"young": {"auc": 0.8}}


def test_of_many_at_once_only_those_who_pass_move(native, mlflow_client, model):
    good = version_of(mlflow_client, model)
    fulfil(native, mlflow_client, model, good)
    bad = [version_of(mlflow_client, model) for _ in range(6)]

    def move(version):
        try:
            mlflow_client.transition_model_version_stage(model, version, "Production", True)
            return version
        except MlflowException:
            return None

    with ThreadPoolExecutor(8) as pool:
        moved = set(pool.map(move, [good, *bad] * 4))
    assert moved == {good, None}
