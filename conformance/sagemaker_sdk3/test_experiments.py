"""Experiments, trials and components as resources, and `sagemaker.core.experiments.Run` over them."""

import datetime

import pytest
from botocore.exceptions import ClientError
from sagemaker.core.analytics import ExperimentAnalytics
from sagemaker.core.experiments import Run
from sagemaker.core.experiments.run import list_runs, load_run
from sagemaker.core.resources import Experiment, Trial, TrialComponent
from sagemaker.core.shapes import RawMetricData, TrialComponentParameterValue, TrialComponentStatus


def test_an_experiment_with_its_trial_and_component(name):
    experiment = Experiment.create(experiment_name=name, description="what is tried")
    trial = Trial.create(trial_name=f"{name}-trial", experiment_name=name)
    component = TrialComponent.create(
        trial_component_name=f"{name}-component",
        status=TrialComponentStatus(primary_status="InProgress"),
        parameters={
            "depth": TrialComponentParameterValue(number_value=3),
            "kind": TrialComponentParameterValue(string_value="tree"),
        },
    )
    component.associate_trail(trial_name=trial.trial_name)
    at = datetime.datetime.now(datetime.timezone.utc)
    component.batch_put_metrics(
        metric_data=[
            RawMetricData(metric_name="loss", timestamp=at, step=step, value=value)
            for step, value in enumerate([3.0, 1.0, 2.0])
        ]
    )
    component.update(status=TrialComponentStatus(primary_status="Completed"), display_name="the-one")
    found = TrialComponent.get(f"{name}-component")
    assert (found.status.primary_status, found.display_name) == ("Completed", "the-one")
    assert found.parameters["depth"].number_value == 3 and found.parameters["kind"].string_value == "tree"
    (loss,) = found.metrics
    assert (loss.min, loss.max, loss.last, loss.count) == (1.0, 3.0, 2.0, 3)
    assert [one.trial_name for one in Trial.get_all(experiment_name=name)] == [trial.trial_name]
    listed = TrialComponent.get_all(trial_name=trial.trial_name)
    assert [one.trial_component_name for one in listed] == [f"{name}-component"]
    trial.update(display_name="first")
    assert Trial.get(trial.trial_name).display_name == "first"
    experiment.update(description="what was tried")
    assert Experiment.get(name).description == "what was tried"
    assert name in [one.experiment_name for one in Experiment.get_all(sort_by="CreationTime", sort_order="Descending")]
    component.disassociate_trail(trial_name=trial.trial_name)
    component.delete()
    trial.delete()
    experiment.delete()
    with pytest.raises(ClientError, match="ResourceNotFound"):
        Experiment.get(name)


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
        assert found._trial_component.parameters == {"rate": 0.1, "depth": 3.0, "kind": "tree"}
        component_name = found._trial_component.trial_component_name
    component = TrialComponent.get(component_name)
    (loss,) = [metric for metric in component.metrics if metric.metric_name == "loss"]
    assert (loss.min, loss.max, loss.last, loss.count) == (1.0, 3.0, 2.0, 3)
    assert component.input_artifacts["source"].value == "s3://somewhere/data.csv"
    bucket, key = component.output_artifacts["report"].value.removeprefix("s3://").split("/", 1)
    assert session.read_s3_file(bucket, key) == "all is well"
    assert component.status.primary_status == "Completed"


def test_a_failure_in_the_block_is_the_status_of_the_run(session, name):
    with pytest.raises(ZeroDivisionError):
        with Run(experiment_name=name, run_name="fails", sagemaker_session=session):
            raise ZeroDivisionError
    (run,) = list_runs(experiment_name=name, sagemaker_session=session)
    assert TrialComponent.get(run._trial_component.trial_component_name).status.primary_status == "Failed"


def test_a_curve_is_logged_as_an_artifact_of_the_run(session, name):
    with Run(experiment_name=name, run_name="plots", sagemaker_session=session) as run:
        run._log_graph_artifact(artifact_name="roc", data={"type": "ROCCurve"}, graph_type="ROCCurve", is_output=True)
        component = run._trial_component.trial_component_arn
    (made,) = session.sagemaker_client.list_associations(SourceArn=component)["AssociationSummaries"]
    assert (made["DestinationType"], made["AssociationType"]) == ("ROCCurve", "Produced")


def test_runs_are_listed_and_analytics_read_them_as_a_table(session, name):
    for run_name, loss in (("good", 0.1), ("bad", 0.9)):
        with Run(experiment_name=name, run_name=run_name, sagemaker_session=session) as run:
            run.log_parameter("depth", 3)
            run.log_metric("loss", loss)
    assert {run.run_name for run in list_runs(experiment_name=name, sagemaker_session=session)} == {"good", "bad"}
    table = ExperimentAnalytics(
        experiment_name=name,
        sort_by="metrics.loss.last",
        sort_order="Ascending",
        sagemaker_session=session,
    ).dataframe()
    assert [one.split("-")[-1] for one in table["TrialComponentName"]] == ["good", "bad"]
    assert list(table["depth"]) == [3.0, 3.0]
    assert list(table["loss - Last"]) == [0.1, 0.9]
