"""What one script writes, the other reads."""

import time

import mlflow
import pytest
from botocore.exceptions import ClientError
from conftest import arn, refused
from mlflow.entities import LoggedModelInput, LoggedModelOutput
from mlflow.exceptions import MlflowException


def test_a_version_of_mlflow_is_approved_by_boto3(sm, mlflow_client, name):
    mlflow_client.create_registered_model(name, tags={"team": "fraud"}, description="d")
    mlflow_client.create_model_version(name, "s3://bucket/model", description="first")
    package = arn("model-package", f"{name}/1")
    found = sm.describe_model_package(ModelPackageName=package)
    assert found["ModelApprovalStatus"] == "PendingManualApproval"
    assert found["ModelPackageDescription"] == "first"
    assert found["SourceUri"] == "s3://bucket/model"
    group = sm.describe_model_package_group(ModelPackageGroupName=name)
    assert group["ModelPackageGroupDescription"] == "d"
    assert sm.list_tags(ResourceArn=group["ModelPackageGroupArn"])["Tags"] == [{"Key": "team", "Value": "fraud"}]
    sm.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    assert mlflow_client.get_model_version(name, "1").tags["stele.approval"] == "approved"
    with pytest.raises(MlflowException, match="stele.approval"):
        mlflow_client.set_model_version_tag(name, "1", "stele.approval", "rejected")
    with pytest.raises(MlflowException, match="stele.approval"):
        mlflow_client.delete_model_version_tag(name, "1", "stele.approval")
    assert sm.describe_model_package(ModelPackageName=package)["ModelApprovalStatus"] == "Approved"


def test_a_package_of_boto3_is_a_version_of_mlflow(sm, mlflow_client, group):
    sm.create_model_package(
        ModelPackageGroupName=group,
        ModelPackageDescription="from boto3",
        ModelApprovalStatus="Rejected",
        SourceUri="s3://bucket/a/model",
    )
    version = mlflow_client.get_model_version(group, "1")
    assert (version.description, version.source) == ("from boto3", "s3://bucket/a/model")
    assert version.tags["stele.approval"] == "rejected"
    assert mlflow_client.get_registered_model(group).name == group
    mlflow_client.update_model_version(group, "1", description="changed")
    found = sm.describe_model_package(ModelPackageName=arn("model-package", f"{group}/1"))
    assert found["ModelPackageDescription"] == "changed"


@pytest.mark.filterwarnings("ignore:.*transition_model_version_stage")
def test_stages_and_aliases_are_the_same_thing_in_both(sm, mlflow_client, group):
    package = sm.create_model_package(ModelPackageGroupName=group)["ModelPackageArn"]
    mlflow_client.transition_model_version_stage(group, "1", "Staging")
    assert sm.describe_model_package(ModelPackageName=package)["ModelLifeCycle"]["Stage"] == "Staging"
    sm.update_model_package(
        ModelPackageArn=package, ModelLifeCycle={"Stage": "Production", "StageStatus": "Live"}
    )
    assert mlflow_client.get_model_version(group, "1").current_stage == "Production"
    assert mlflow_client.get_model_version_by_alias(group, "production").version == "1"
    mlflow_client.set_registered_model_alias(group, "champion", "1")
    properties = sm.describe_model_package(ModelPackageName=package)["CustomerMetadataProperties"]
    assert properties == {"stele.aliases": "champion,production"}
    mlflow_client.transition_model_version_stage(group, "1", "None")
    assert "ModelLifeCycle" not in sm.describe_model_package(ModelPackageName=package)


def test_names_that_sagemaker_cannot_print(sm, mlflow_client, name):
    real = f"{name}_model (v2) ü"
    mlflow_client.create_registered_model(real)
    mlflow_client.create_model_version(real, "s3://bucket/model")
    listed = sm.list_model_package_groups(NameContains=name)["ModelPackageGroupSummaryList"]
    assert len(listed) == 1
    shown = listed[0]["ModelPackageGroupName"]
    assert shown.startswith(name)
    package = arn("model-package", f"{shown}/1")
    assert sm.describe_model_package(ModelPackageName=package)["ModelPackageGroupName"] == shown
    sm.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    assert mlflow_client.get_model_version(real, "1").tags["stele.approval"] == "approved"
    assert sm.create_model_package(ModelPackageGroupName=shown)["ModelPackageArn"].endswith("/2")
    found = sm.search(
        Resource="ModelPackageGroup",
        SearchExpression={"Filters": [{"Name": "ModelPackageGroupName", "Operator": "Equals", "Value": shown}]},
    )["Results"]
    assert [one["ModelPackageGroup"]["ModelPackageGroupName"] for one in found] == [shown]
    # A substitute is stable: the ARN outlives a new name.
    mlflow_client.rename_registered_model(real, f"{name} other")
    assert sm.describe_model_package(ModelPackageName=package)["ModelApprovalStatus"] == "Approved"
    with refused("ValidationException", "stand for"):
        sm.create_model_package_group(ModelPackageGroupName=shown)


def test_prompts_are_no_model_packages(sm, mlflow_client, name):
    mlflow_client.create_prompt(name)
    mlflow_client.create_prompt_version(name, "Say {{ what }}")
    assert sm.list_model_package_groups(NameContains=name)["ModelPackageGroupSummaryList"] == []
    with refused("ValidationException", "does not exist"):
        sm.describe_model_package_group(ModelPackageGroupName=name)
    with refused("ValidationException", "does not exist"):
        sm.describe_model_package(ModelPackageName=arn("model-package", f"{name}/1"))
    packages = sm.list_model_packages(ModelPackageType="Versioned", NameContains=name)
    assert packages["ModelPackageSummaryList"] == []


def test_a_run_of_mlflow_is_a_trial_component(sm, mlflow_client, name):
    experiment = mlflow_client.create_experiment(name)
    run = mlflow_client.create_run(experiment, run_name="my run", tags={"kind": "baseline"})
    mlflow_client.log_param(run.info.run_id, "lr", 0.1)
    for step, value in enumerate([3.0, 1.0, 2.0]):
        mlflow_client.log_metric(run.info.run_id, "loss", value, step=step)
    mlflow_client.set_terminated(run.info.run_id, "FAILED")
    listed = sm.list_trial_components(ExperimentName=name)["TrialComponentSummaries"]
    assert [one["TrialComponentName"] for one in listed] == [run.info.run_id]
    found = sm.describe_trial_component(TrialComponentName=run.info.run_id)
    assert found["DisplayName"] == "my run"
    assert found["Status"]["PrimaryStatus"] == "Failed"
    assert found["Parameters"] == {"lr": {"StringValue": "0.1"}}
    (loss,) = found["Metrics"]
    assert (loss["MetricName"], loss["Min"], loss["Max"], loss["Avg"], loss["Last"], loss["Count"]) == (
        "loss", 1.0, 3.0, 2.0, 2.0, 3,
    )
    tags = sm.list_tags(ResourceArn=found["TrialComponentArn"])["Tags"]
    assert {"Key": "kind", "Value": "baseline"} in tags
    assert sm.describe_experiment(ExperimentName=name)["ExperimentArn"] == arn("experiment", name)


def test_a_trial_component_is_a_run_of_mlflow(sm, sm_metrics, mlflow_client, name):
    sm.create_experiment(ExperimentName=name)
    sm.create_trial(TrialName=f"{name}-t", ExperimentName=name)
    sm.create_trial_component(
        TrialComponentName=f"{name}-c",
        DisplayName="component",
        Status={"PrimaryStatus": "InProgress"},
        Parameters={"lr": {"NumberValue": 0.5}, "optimizer": {"StringValue": "adam"}},
        Tags=[{"Key": "team", "Value": "fraud"}],
    )
    sm.associate_trial_component(TrialName=f"{name}-t", TrialComponentName=f"{name}-c")
    sm_metrics.batch_put_metrics(
        TrialComponentName=f"{name}-c",
        MetricData=[
            {"MetricName": "acc", "Timestamp": time.time(), "Step": step, "Value": step / 10} for step in range(10)
        ],
    )
    sm.update_trial_component(TrialComponentName=f"{name}-c", Status={"PrimaryStatus": "Completed"})
    experiment = mlflow_client.get_experiment_by_name(name)
    (run,) = mlflow_client.search_runs([experiment.experiment_id], "metrics.acc > 0.8 and params.optimizer = 'adam'")
    assert run.info.run_name == "component"
    assert run.info.status == "FINISHED"
    assert run.data.params == {"lr": "0.5", "optimizer": "adam"}
    assert run.data.tags["team"] == "fraud"
    assert len(mlflow_client.get_metric_history(run.info.run_id, "acc")) == 10
    # Artifacts work as those of any run.
    mlflow.set_tracking_uri(mlflow_client.tracking_uri)
    mlflow_client.log_text(run.info.run_id, "hello", "note.txt")
    assert [file.path for file in mlflow_client.list_artifacts(run.info.run_id)] == ["note.txt"]


def test_experiments_deleted_by_either_are_gone_for_both(sm, mlflow_client, name):
    sm.create_experiment(ExperimentName=name)
    first = mlflow_client.get_experiment_by_name(name)
    sm.delete_experiment(ExperimentName=name)
    assert mlflow_client.get_experiment(first.experiment_id).lifecycle_stage == "deleted"
    # SageMaker has no trash, so the name is free there.
    sm.create_experiment(ExperimentName=name)
    second = mlflow_client.get_experiment_by_name(name)
    assert second.experiment_id != first.experiment_id
    mlflow_client.restore_experiment(first.experiment_id)
    mlflow_client.delete_experiment(second.experiment_id)
    with refused("ResourceNotFound", "does not exist"):
        sm.describe_experiment(ExperimentName=name)


def test_lineage_leads_through_what_mlflow_logged_and_registered(sm, mlflow_client, name):
    experiment = mlflow_client.create_experiment(name)
    trained, evaluated = (mlflow_client.create_run(experiment).info.run_id for _ in range(2))
    model = mlflow_client.create_logged_model(experiment, name="forest", source_run_id=trained)
    mlflow_client.log_outputs(trained, [LoggedModelOutput(model.model_id, step=0)])
    mlflow_client.finalize_logged_model(model.model_id, "READY")
    mlflow_client.log_inputs(evaluated, models=[LoggedModelInput(model.model_id)])
    mlflow_client.create_registered_model(name)
    source = f"models:/{model.model_id}"
    mlflow_client.create_model_version(name, source=source, run_id=trained, model_id=model.model_id)
    data = sm.create_artifact(ArtifactType="DataSet", Source={"SourceUri": f"s3://{name}/data"})["ArtifactArn"]
    first, second = (arn("experiment-trial-component", run) for run in (trained, evaluated))
    forest, package = arn("artifact", model.model_id), arn("model-package", f"{name}/1")
    sm.add_association(SourceArn=data, DestinationArn=first, AssociationType="ContributedTo")

    def walked(start, direction, **more):
        found = sm.query_lineage(StartArns=[start], Direction=direction, IncludeEdges=True, **more)
        vertices = {vertex["Arn"]: (vertex["LineageType"], vertex["Type"]) for vertex in found["Vertices"]}
        edges = {(edge["SourceArn"], edge["DestinationArn"], edge["AssociationType"]) for edge in found["Edges"]}
        return vertices, edges

    components = {first: ("TrialComponent", ""), second: ("TrialComponent", "")}
    artifacts = {forest: ("Artifact", "Model"), package: ("Artifact", "ModelPackage")}
    known = {
        (first, forest, "Produced"),
        (first, package, "Produced"),
        (forest, package, "DerivedFrom"),
        (forest, second, "ContributedTo"),
    }
    drawn = {(data, first, "ContributedTo")}
    assert walked(data, "Descendants") == (components | artifacts, known | drawn)
    assert walked(first, "Descendants", MaxDepth=1) == (artifacts, {edge for edge in known if edge[0] == first})
    origins = {first: components[first], forest: artifacts[forest], data: ("Artifact", "DataSet")}
    assert walked(package, "Ascendants") == (origins, {edge for edge in known if edge[1] != second} | drawn)
    assert walked(second, "Ascendants")[0] == origins
    only, _ = walked(data, "Descendants", Filters={"Types": ["Model"]})
    assert only == {forest: artifacts[forest]}
    described = sm.describe_artifact(ArtifactArn=forest)
    assert (described["ArtifactName"], described["ArtifactType"]) == ("forest", "Model")
    assert described["Source"]["SourceUri"] == source
    # What is deleted leads nowhere.
    mlflow_client.delete_run(evaluated)
    assert second not in walked(data, "Descendants")[0]
    mlflow_client.delete_model_version(name, "1")
    assert walked(data, "Descendants")[0] == {first: components[first], forest: artifacts[forest]}
    for missing in (package, second, arn("artifact", "m-" + "0" * 32)):
        with pytest.raises(ClientError) as error:
            sm.query_lineage(StartArns=[missing])
        assert "does not exist" in error.value.response["Error"]["Message"]
