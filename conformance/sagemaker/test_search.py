"""Search over everything, at once after a change."""

import time

import pytest
from conftest import arn, refused


def found(sm, resource, *filters, record=None, key=None, **request):
    names = []
    expression = {"Filters": [dict(zip(("Name", "Operator", "Value"), one)) for one in filters]}
    for page in sm.get_paginator("search").paginate(Resource=resource, SearchExpression=expression, **request):
        names += [one[record or resource][key or f"{resource}Name"] for one in page["Results"]]
    return names


def test_groups_and_packages(sm, group):
    for status in ("Approved", "Rejected"):
        sm.create_model_package(
            ModelPackageGroupName=group, ModelApprovalStatus=status, Domain="VISION" if status == "Approved" else "NLP"
        )
    arns = [arn("model-package", f"{group}/{number}") for number in (1, 2)]
    mine = ("ModelPackageGroupName", "Equals", group)
    assert found(sm, "ModelPackageGroup", mine) == [group]

    def packages(*filters, **request):
        return found(sm, "ModelPackage", mine, *filters, key="ModelPackageArn", **request)

    assert packages(SortBy="CreationTime", SortOrder="Ascending")[0] in arns
    assert sorted(packages()) == arns
    assert packages(("ModelApprovalStatus", "Equals", "Approved")) == arns[:1]
    assert packages(("ModelApprovalStatus", "NotEquals", "Approved")) == arns[1:]
    assert packages(("ModelApprovalStatus", "In", "Approved,Rejected"), SortBy="ModelPackageVersion") == arns[::-1]
    assert packages(("ModelPackageVersion", "GreaterThan", "1")) == arns[1:]
    assert packages(("Domain", "Equals", "NLP")) == arns[1:]
    assert packages(("Domain", "Contains", "visi")) == arns[:1]
    assert packages(("Task", "Exists")) == []
    assert sorted(packages(("Task", "NotExists"))) == arns
    sm.add_tags(ResourceArn=arns[0], Tags=[{"Key": "team", "Value": "fraud"}])
    assert packages(("Tags.team", "Equals", "fraud")) == arns[:1]
    assert packages(("CreationTime", "LessThan", "2020-01-01T00:00:00Z")) == []


def test_components_by_trial_params_metrics_and_status(sm, sm_metrics, name):
    sm.create_experiment(ExperimentName=name)
    sm.create_trial(TrialName=f"{name}-t", ExperimentName=name)
    for index, status in enumerate(["Completed", "Failed"]):
        component = f"{name}-{index}"
        sm.create_trial_component(
            TrialComponentName=component,
            Status={"PrimaryStatus": status},
            Parameters={"optimizer": {"StringValue": f"adam{index}"}},
        )
        sm.associate_trial_component(TrialName=f"{name}-t", TrialComponentName=component)
        sm_metrics.batch_put_metrics(
            TrialComponentName=component,
            MetricData=[{"MetricName": "acc", "Timestamp": time.time(), "Value": index / 2}],
        )
    names = [f"{name}-0", f"{name}-1"]
    mine = ("Parents.ExperimentName", "Equals", name)

    def components(*filters, **request):
        return found(
            sm, "ExperimentTrialComponent", mine, *filters, record="TrialComponent", key="TrialComponentName", **request
        )

    assert components(SortBy="TrialComponentName", SortOrder="Ascending") == names
    assert components(("Parents.TrialName", "Equals", f"{name}-t"), ("TrialComponentName", "Equals", names[0])) == names[:1]
    assert components(("TrialComponentName", "Contains", "-1")) == names[1:]
    assert components(("Parameters.optimizer", "Equals", "adam1")) == names[1:]
    assert components(("Metrics.acc.Last", "GreaterThanOrEqualTo", "0.5")) == names[1:]
    assert components(("Status.PrimaryStatus", "Equals", "Completed")) == names[:1]
    assert components(SortBy="Metrics.acc.Last", SortOrder="Descending") == names[::-1]
    result = sm.search(
        Resource="ExperimentTrialComponent",
        SearchExpression={"Filters": [{"Name": "TrialComponentName", "Operator": "Equals", "Value": names[1]}]},
    )["Results"][0]["TrialComponent"]
    assert result["Parents"] == [{"TrialName": f"{name}-t", "ExperimentName": name}]
    assert result["Metrics"][0]["Max"] == 0.5
    assert found(sm, "ExperimentTrial", ("ExperimentName", "Equals", name), record="Trial", key="TrialName") == [f"{name}-t"]
    assert found(sm, "Experiment", ("ExperimentName", "Equals", name)) == [name]


def test_expressions_join_and_nest(sm, name):
    for colour in ("red", "green", "blue"):
        sm.create_experiment(ExperimentName=f"{name}-{colour}", Tags=[{"Key": "colour", "Value": colour}])
    tag = lambda colour: {"Name": "Tags.colour", "Operator": "Equals", "Value": colour}  # noqa: E731
    expression = {
        "Filters": [{"Name": "ExperimentName", "Operator": "Contains", "Value": name}],
        "SubExpressions": [{"Operator": "Or", "Filters": [tag("red"), tag("blue")]}],
    }
    results = sm.search(Resource="Experiment", SearchExpression=expression, SortBy="ExperimentName", SortOrder="Ascending")
    names = [one["Experiment"]["ExperimentName"] for one in results["Results"]]
    assert names == [f"{name}-blue", f"{name}-red"]
    sm.create_trial(TrialName=name, ExperimentName=f"{name}-red")
    sm.create_trial_component(TrialComponentName=name)
    sm.associate_trial_component(TrialName=name, TrialComponentName=name)
    nested = {
        "NestedFilters": [
            {"NestedPropertyName": "Parents", "Filters": [{"Name": "Parents.TrialName", "Operator": "Equals", "Value": name}]}
        ]
    }
    results = sm.search(Resource="ExperimentTrialComponent", SearchExpression=nested)["Results"]
    assert [one["TrialComponent"]["TrialComponentName"] for one in results] == [name]


def test_models_and_cards(sm, name):
    sm.create_model(ModelName=name, ExecutionRoleArn="arn:aws:iam::123456789012:role/r")
    results = sm.search(
        Resource="Model", SearchExpression={"Filters": [{"Name": "ModelName", "Operator": "Equals", "Value": name}]}
    )["Results"]
    assert [one["Model"]["Model"]["ModelName"] for one in results] == [name]
    sm.create_model_card(ModelCardName=name, Content="{}", ModelCardStatus="Approved")
    cards = found(sm, "ModelCard", ("ModelCardName", "Equals", name), ("ModelCardStatus", "Equals", "Approved"))
    assert cards == [name]


def test_what_is_refused_and_what_is_empty(sm):
    assert sm.search(Resource="TrainingJob")["Results"] == []
    with refused("ValidationException", "enum value set"):
        sm.search(Resource="Nonsense")
    with refused("ValidationException", "is not a time"):
        found(sm, "Experiment", ("CreationTime", "GreaterThan", "tomorrow"))
    with refused("ValidationException", "is not a number"):
        found(sm, "ModelPackage", ("ModelPackageVersion", "Equals", "one"))


@pytest.mark.parametrize("value", ["%", "_", "'; DROP TABLE experiment; --", '"', "\\"])
def test_texts_are_only_texts(sm, value):
    assert found(sm, "Experiment", ("ExperimentName", "Contains", value)) == []
    assert found(sm, "Experiment", (f"A.{value}.b", "Equals", "x")) == []
