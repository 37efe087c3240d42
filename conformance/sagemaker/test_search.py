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
    for resource, property in [("Experiment", "Colour"), ("ExperimentTrialComponent", "ExperimentName")]:
        with refused("ValidationException", f"Unknown property name: {property}"):
            found(sm, resource, (property, "Equals", "x"))
        with refused("ValidationException", f"Unknown property name: {property}"):
            sm.search(Resource=resource, SortBy=property)
    with refused("ValidationException", "Results cannot be sorted by 'Description' here"):
        sm.search(Resource="Experiment", SortBy="Description")
    with refused("ValidationException", "is not a number"):
        found(sm, "ModelPackage", ("ModelPackageVersion", "Equals", "one"))


@pytest.mark.parametrize("value", ["%", "_", "'; DROP TABLE experiment; --", '"', "\\"])
def test_texts_are_only_texts(sm, value):
    assert found(sm, "Experiment", ("ExperimentName", "Contains", value)) == []
    assert found(sm, "Experiment", (f"Source.{value}.b", "Equals", "x")) == []


def test_trials_by_their_experiment_tell_of_their_components(sm, name):
    sm.create_experiment(ExperimentName=name)
    for trial in ("a", "b"):
        sm.create_trial(TrialName=f"{name}-{trial}", ExperimentName=name)
    sm.create_trial_component(TrialComponentName=name)
    sm.associate_trial_component(TrialName=f"{name}-a", TrialComponentName=name)
    for property in ("ExperimentName", "Parents.ExperimentName"):
        mine = {"Filters": [{"Name": property, "Operator": "Equals", "Value": name}]}
        results = sm.search(Resource="ExperimentTrial", SearchExpression=mine, SortBy="TrialName", SortOrder="Ascending")
        trials = [one["Trial"] for one in results["Results"]]
        assert [trial["TrialName"] for trial in trials] == [f"{name}-a", f"{name}-b"]
        summaries = [[one["TrialComponentName"] for one in trial["TrialComponentSummaries"]] for trial in trials]
        assert summaries == [[name], []]
    nested = {
        "NestedFilters": [
            {"NestedPropertyName": "Parents", "Filters": [{"Name": "Parents.ExperimentName", "Operator": "Equals", "Value": name}]}
        ]
    }
    assert len(sm.search(Resource="ExperimentTrial", SearchExpression=nested)["Results"]) == 2


def test_components_by_what_the_histories_of_metrics_come_to(sm, sm_metrics, name):
    histories = {"rising": [1, 2, 9], "falling": [8, 4, 0], "flat": [5, 5, 5], "none": []}
    sm.create_experiment(ExperimentName=name)
    sm.create_trial(TrialName=name, ExperimentName=name)
    for kind, values in histories.items():
        component = f"{name}-{kind}"
        sm.create_trial_component(TrialComponentName=component)
        sm.associate_trial_component(TrialName=name, TrialComponentName=component)
        data = [{"MetricName": "m", "Timestamp": time.time(), "Step": step, "Value": value} for step, value in enumerate(values)]
        if data:
            sm_metrics.batch_put_metrics(TrialComponentName=component, MetricData=data)
    mine = ("Parents.ExperimentName", "Equals", name)

    def components(*filters, **request):
        names = found(
            sm, "ExperimentTrialComponent", mine, *filters, record="TrialComponent", key="TrialComponentName", **request
        )
        return [one.removeprefix(f"{name}-") for one in names]

    for statistic, ascending in [
        ("Min", ["falling", "rising", "flat"]),
        ("Max", ["flat", "falling", "rising"]),
    ]:
        by = {"SortBy": f"Metrics.m.{statistic}"}
        assert components(**by, SortOrder="Ascending") == [*ascending, "none"]
        # What has no such metric comes last either way, and a page goes on where the last one ended.
        assert components(**by, SortOrder="Descending", PaginationConfig={"PageSize": 2}) == [*ascending[::-1], "none"]
    assert components(SortBy="metrics.m.avg", SortOrder="Ascending")[2:] == ["flat", "none"]
    assert components(("Metrics.m.Max", "GreaterThan", "8"), ("Metrics.m.Min", "LessThan", "2")) == ["rising"]
    assert sorted(components(("Metrics.m.StdDev", "NotEquals", "0"))) == ["falling", "rising"]
    assert components(("Metrics.m.Avg", "NotExists")) == ["none"]
    either = {"Operator": "Or", "Filters": [{"Name": "Metrics.m.Max", "Operator": "Equals", "Value": "9"}]}
    with refused("ValidationException", "cannot be joined by Or"):
        sm.search(Resource="ExperimentTrialComponent", SearchExpression=either)
    with refused("ValidationException", "is not supported for"):
        components(("Metrics.m.Max", "Contains", "9"))


def test_packages_with_and_without_a_group_are_found_together(sm, group, name):
    tags = [{"Key": "of", "Value": name}]
    version = sm.create_model_package(ModelPackageGroupName=group)["ModelPackageArn"]
    sm.add_tags(ResourceArn=version, Tags=tags)
    names = [f"{name}-a", f"{name}-b"]
    others = [sm.create_model_package(ModelPackageName=one, Tags=tags)["ModelPackageArn"] for one in names]

    def packages(*filters, **request):
        return found(sm, "ModelPackage", ("Tags.of", "Equals", name), *filters, key="ModelPackageArn", **request)

    ascending = packages(SortBy="CreationTime", SortOrder="Ascending")
    assert sorted(ascending) == sorted([version, *others])
    assert packages(SortBy="CreationTime", SortOrder="Ascending", PaginationConfig={"PageSize": 1}) == ascending
    assert packages(("ModelPackageName", "Contains", f"{name}-A")) == others[:1]
    assert packages(("ModelPackageName", "Exists"), SortBy="ModelPackageName") == others[::-1]
    assert packages(SortBy="ModelPackageName", SortOrder="Ascending") == [*others, version]
    assert packages(("ModelPackageVersion", "GreaterThan", "0")) == [version]
    assert packages(("ModelPackageArn", "Equals", others[1])) == others[1:]
    assert packages(("ModelPackageGroupName", "Equals", group)) == [version]


def test_suggestions_name_properties_to_search_by(sm, sm_metrics, name):
    def suggested(resource, hint=None):
        query = {"SuggestionQuery": {"PropertyNameQuery": {"PropertyNameHint": hint}}} if hint else {}
        told = sm.get_search_suggestions(Resource=resource, **query)["PropertyNameSuggestions"]
        return [one["PropertyName"] for one in told]

    assert suggested("ModelPackageGroup", "GroupDesc") == ["ModelPackageGroupDescription"]
    assert suggested("TrainingJob") == []
    key = f"k{name}"
    sm.create_trial_component(
        TrialComponentName=name, Parameters={key: {"NumberValue": 1}}, Tags=[{"Key": key, "Value": "x"}]
    )
    data = [{"MetricName": key, "Timestamp": time.time(), "Value": 1}]
    sm_metrics.batch_put_metrics(TrialComponentName=name, MetricData=data)
    told = suggested("ExperimentTrialComponent", key.upper())
    assert told == [f"Metrics.{key}", f"Parameters.{key}", f"Tags.{key}"]
    for property in told:
        value = {"Name": property, "Operator": "Exists"}
        results = sm.search(Resource="ExperimentTrialComponent", SearchExpression={"Filters": [value]})["Results"]
        assert [one["TrialComponent"]["TrialComponentName"] for one in results] == [name]
