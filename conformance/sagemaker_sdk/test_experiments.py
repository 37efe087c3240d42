"""`sagemaker.experiments` and the table that its analytics make of the trial components."""

import pytest
from botocore.exceptions import ClientError
from sagemaker.analytics import ExperimentAnalytics
from sagemaker.experiments import Run, list_runs, load_run
from sagemaker.experiments.experiment import Experiment


def test_a_run_logs_parameters_metrics_and_files(session, name, tmp_path):
    report = tmp_path / "report.txt"
    report.write_text("all is well")
    with Run(experiment_name=name, run_name="first", sagemaker_session=session) as run:
        run.log_parameter("rate", 0.1)
        run.log_parameters({"depth": 3, "kind": "tree"})
        for step, loss in enumerate([3.0, 1.0, 2.0]):
            run.log_metric(name="loss", value=loss, step=step)
        run.log_file(str(report), name="report", is_output=True)
        run.log_artifact(name="source", value="s3://somewhere/data.csv", is_output=False)
    with load_run(experiment_name=name, run_name="first", sagemaker_session=session) as found:
        component = found._trial_component
        assert component.parameters == {"rate": 0.1, "depth": 3.0, "kind": "tree"}
        (loss,) = [metric for metric in component.metrics if metric.metric_name == "loss"]
        assert (loss.min, loss.max, loss.last, loss.count) == (1.0, 3.0, 2.0, 3)
        assert component.input_artifacts["source"].value == "s3://somewhere/data.csv"
        uri = component.output_artifacts["report"].value
    component = session.sagemaker_client.describe_trial_component(TrialComponentName=component.trial_component_name)
    assert component["Status"]["PrimaryStatus"] == "Completed"
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    assert session.boto_session.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read() == b"all is well"


def test_a_failure_in_the_block_is_the_status_of_the_run(session, name):
    with pytest.raises(ZeroDivisionError):
        with Run(experiment_name=name, run_name="fails", sagemaker_session=session):
            raise ZeroDivisionError
    (run,) = list_runs(experiment_name=name, sagemaker_session=session)
    assert run._trial_component.status.primary_status == "Failed"


def test_a_curve_is_an_artifact_that_the_run_made(session, name):
    with Run(experiment_name=name, run_name="plots", sagemaker_session=session) as run:
        run._log_graph_artifact(artifact_name="roc", data={"type": "ROCCurve"}, graph_type="ROCCurve", is_output=True)
        component = run._trial_component.trial_component_arn
    (made,) = session.sagemaker_client.list_associations(SourceArn=component)["AssociationSummaries"]
    assert (made["DestinationType"], made["AssociationType"]) == ("ROCCurve", "Produced")


def test_runs_are_listed_in_order_and_an_experiment_is_deleted_with_them(session, name):
    for run_name in ("a", "b", "c"):
        with Run(experiment_name=name, run_name=run_name, sagemaker_session=session):
            pass
    listed = list_runs(experiment_name=name, sagemaker_session=session)
    assert {run.run_name for run in listed} == {"a", "b", "c"}
    Experiment.load(name, sagemaker_session=session)._delete_all(action="--force")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        session.sagemaker_client.describe_experiment(ExperimentName=name)


def test_analytics_read_the_components_of_an_experiment_as_a_table(session, name):
    for run_name, loss in (("good", 0.1), ("bad", 0.9)):
        with Run(experiment_name=name, run_name=run_name, sagemaker_session=session) as run:
            run.log_parameter("depth", 3)
            run.log_metric("loss", loss)
    table = ExperimentAnalytics(
        experiment_name=name,
        sort_by="metrics.loss.last",
        sort_order="Ascending",
        sagemaker_session=session,
    ).dataframe()
    assert [one.split("-")[-1] for one in table["TrialComponentName"]] == ["good", "bad"]
    assert list(table["depth"]) == [3.0, 3.0]
    assert list(table["loss - Last"]) == [0.1, 0.9]
