"""Experiments, trials and trial components."""

from datetime import datetime, timezone

from conftest import arn, refused


def test_experiments(sm, name):
    made = sm.create_experiment(ExperimentName=name, Description="d", Tags=[{"Key": "k", "Value": "v"}])
    assert made["ExperimentArn"] == arn("experiment", name)
    with refused("ValidationException", "already exists"):
        sm.create_experiment(ExperimentName=name)
    found = sm.describe_experiment(ExperimentName=name)
    assert (found["Description"], found["DisplayName"]) == ("d", name)
    sm.update_experiment(ExperimentName=name, DisplayName="Other", Description="e")
    found = sm.describe_experiment(ExperimentName=name)
    assert (found["Description"], found["DisplayName"]) == ("e", "Other")
    sm.create_trial(TrialName=f"{name}-t", ExperimentName=name)
    with refused("ValidationException", "trials"):
        sm.delete_experiment(ExperimentName=name)
    sm.delete_trial(TrialName=f"{name}-t")
    sm.delete_experiment(ExperimentName=name)
    with refused("ResourceNotFound", f"Experiment '{arn('experiment', name)}' does not exist."):
        sm.describe_experiment(ExperimentName=name)


def test_trials_and_their_components(sm, name):
    for experiment in ("a", "b"):
        sm.create_experiment(ExperimentName=f"{name}-{experiment}")
        sm.create_trial(TrialName=f"{name}-{experiment}-t", ExperimentName=f"{name}-{experiment}", DisplayName="T")
    with refused("ValidationException", "already exists"):
        sm.create_trial(TrialName=f"{name}-a-t", ExperimentName=f"{name}-a")
    with refused("ResourceNotFound", "Experiment"):
        sm.create_trial(TrialName=f"{name}-x", ExperimentName="nowhere")
    component = f"{name}-c"
    sm.create_trial_component(TrialComponentName=component)
    for experiment in ("a", "b"):
        answer = sm.associate_trial_component(TrialName=f"{name}-{experiment}-t", TrialComponentName=component)
        assert answer["TrialComponentArn"] == arn("experiment-trial-component", component)
        assert answer["TrialArn"] == arn("experiment-trial", f"{name}-{experiment}-t")
    listed = sm.list_trials(TrialComponentName=component, SortBy="Name", SortOrder="Ascending")["TrialSummaries"]
    assert [one["TrialName"] for one in listed] == [f"{name}-a-t", f"{name}-b-t"]
    assert sm.describe_trial(TrialName=f"{name}-b-t")["ExperimentName"] == f"{name}-b"
    for experiment in ("a", "b"):
        listed = sm.list_trial_components(TrialName=f"{name}-{experiment}-t")["TrialComponentSummaries"]
        assert [one["TrialComponentName"] for one in listed] == [component]
    with refused("ValidationException", "trial"):
        sm.delete_trial_component(TrialComponentName=component)
    with refused("ValidationException", "disassociated"):
        sm.delete_trial(TrialName=f"{name}-a-t")
    for experiment in ("a", "b"):
        sm.disassociate_trial_component(TrialName=f"{name}-{experiment}-t", TrialComponentName=component)
    assert sm.list_trials(TrialComponentName=component)["TrialSummaries"] == []
    sm.delete_trial_component(TrialComponentName=component)
    with refused("ResourceNotFound", "does not exist"):
        sm.describe_trial_component(TrialComponentName=component)
    sm.create_trial_component(TrialComponentName=component)
    with refused("ResourceNotFound", f"Trial '{arn('experiment-trial', 'nowhere')}' does not exist."):
        sm.associate_trial_component(TrialName="nowhere", TrialComponentName="nowhere")


def test_a_component_changes(sm, name):
    start = datetime(2025, 1, 2, 3, 4, 5, 678000, tzinfo=timezone.utc)
    sm.create_trial_component(
        TrialComponentName=name,
        StartTime=start,
        Status={"PrimaryStatus": "InProgress", "Message": "working"},
        Parameters={"a": {"NumberValue": 1.5}, "b": {"StringValue": "x"}},
        InputArtifacts={"data": {"Value": "s3://data", "MediaType": "text/csv"}},
        MetadataProperties={"CommitId": "abc"},
    )
    with refused("ValidationException", "already exists"):
        sm.create_trial_component(TrialComponentName=name)
    found = sm.describe_trial_component(TrialComponentName=name)
    assert found["StartTime"] == start
    assert found["Status"] == {"PrimaryStatus": "InProgress", "Message": "working"}
    assert found["Parameters"] == {"a": {"NumberValue": 1.5}, "b": {"StringValue": "x"}}
    assert found["InputArtifacts"] == {"data": {"Value": "s3://data", "MediaType": "text/csv"}}
    assert found["Metrics"] == []
    assert (found["OutputArtifacts"], found["Sources"]) == ({}, [])
    sm.update_trial_component(
        TrialComponentName=name,
        DisplayName="Renamed",
        Status={"PrimaryStatus": "Stopped"},
        EndTime=datetime(2025, 1, 3, tzinfo=timezone.utc),
        Parameters={"a": {"NumberValue": 2}, "c": {"StringValue": "y"}},
        ParametersToRemove=["b"],
        OutputArtifacts={"model": {"Value": "s3://model"}},
        InputArtifactsToRemove=["data"],
    )
    found = sm.describe_trial_component(TrialComponentName=arn("experiment-trial-component", name))
    assert (found["DisplayName"], found["Status"]["PrimaryStatus"]) == ("Renamed", "Stopped")
    assert found["EndTime"] == datetime(2025, 1, 3, tzinfo=timezone.utc)
    assert found["Parameters"] == {"a": {"NumberValue": 2.0}, "c": {"StringValue": "y"}}
    assert found["InputArtifacts"] == {} and found["OutputArtifacts"] == {"model": {"Value": "s3://model"}}
    assert found["MetadataProperties"] == {"CommitId": "abc"}


def test_components_are_listed_in_pages(sm, name):
    sm.create_experiment(ExperimentName=name)
    sm.create_trial(TrialName=name, ExperimentName=name)
    names = [f"{name}-{index}" for index in range(5)]
    for one in names:
        sm.create_trial_component(TrialComponentName=one)
        sm.associate_trial_component(TrialName=name, TrialComponentName=one)
    listed, token = [], {}
    while True:
        page = sm.list_trial_components(TrialName=name, SortBy="Name", SortOrder="Ascending", MaxResults=2, **token)
        listed += [one["TrialComponentName"] for one in page["TrialComponentSummaries"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert listed == names
    assert len(sm.list_trial_components(ExperimentName=name)["TrialComponentSummaries"]) == 5
