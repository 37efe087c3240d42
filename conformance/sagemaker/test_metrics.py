"""Metrics of trial components as the service `sagemaker-metrics` takes and gives them."""

from datetime import datetime, timezone

import pytest
from conftest import arn, refused

# A whole minute, and a whole hour.
BEGIN = 1_700_002_800


def put(sm_metrics, component, *points):
    data = [
        {"MetricName": metric, "Timestamp": datetime.fromtimestamp(BEGIN + second, timezone.utc), "Step": step, "Value": value}
        for metric, second, step, value in points
    ]
    return sm_metrics.batch_put_metrics(TrialComponentName=component, MetricData=data)


@pytest.fixture
def component(sm, sm_metrics, name):
    sm.create_trial_component(TrialComponentName=name)
    told = put(
        sm_metrics,
        name,
        ("loss", 0, 0, 4.0),
        ("loss", 30, 0, 2.0),
        ("loss", 61, 1, 1.0),
        ("loss", 3_700, 2, 0.5),
        ("acc", 0, 0, 0.25),
    )
    assert "Errors" not in told
    return name


def query(component, metric="loss", stat="Avg", period="OneMinute", axis="Timestamp", **more):
    resource = arn("experiment-trial-component", component)
    return {"MetricName": metric, "ResourceArn": resource, "MetricStat": stat, "Period": period, "XAxisType": axis, **more}


def ask(sm_metrics, *queries):
    results = sm_metrics.batch_get_metrics(MetricQueries=list(queries))["MetricQueryResults"]
    assert len(results) == len(queries)
    return results


def points(sm_metrics, *args, **more):
    (result,) = ask(sm_metrics, query(*args, **more))
    assert result["Status"] == "Complete" and "Message" not in result, result
    return list(zip(result["XAxisValues"], result["MetricValues"]))


def ms(second):
    return (BEGIN + second) * 1000


def test_statistics_of_spans_of_time(sm_metrics, component):
    assert points(sm_metrics, component) == [(ms(0), 3.0), (ms(60), 1.0), (ms(3_660), 0.5)]
    assert points(sm_metrics, component, period="FiveMinute", stat="Max") == [(ms(0), 4.0), (ms(3_600), 0.5)]
    assert points(sm_metrics, component, period="OneHour", stat="Count") == [(ms(0), 3.0), (ms(3_600), 1.0)]
    by_stat = {stat: points(sm_metrics, component, stat=stat)[0][1] for stat in ("Min", "Max", "Avg", "Count", "StdDev", "Last")}
    assert by_stat == {"Min": 2.0, "Max": 4.0, "Avg": 3.0, "Count": 2.0, "StdDev": 1.0, "Last": 2.0}
    assert points(sm_metrics, component, Start=ms(60), End=ms(120)) == [(ms(60), 1.0)]


def test_statistics_of_steps(sm_metrics, component):
    steps = {"period": "IterationNumber", "axis": "IterationNumber"}
    assert points(sm_metrics, component, **steps) == [(0, 3.0), (1, 1.0), (2, 0.5)]
    assert points(sm_metrics, component, **steps, Start=1) == [(1, 1.0), (2, 0.5)]
    assert points(sm_metrics, component, period="IterationNumber", stat="Last") == [
        (ms(30), 2.0),
        (ms(61), 1.0),
        (ms(3_700), 0.5),
    ]
    assert points(sm_metrics, component, metric="nothing", **steps) == []


def test_each_query_has_its_own_outcome(sm_metrics, component):
    absent, job, good, turned = ask(
        sm_metrics,
        query(f"{component}-x"),
        query(component) | {"ResourceArn": arn("training-job", "j")},
        query(component, metric="acc", stat="Last"),
        query(component, Start=2, End=1),
    )
    for answer, words in ((absent, "does not exist"), (job, "trial components"), (turned, "is after End")):
        assert (answer["Status"], answer["XAxisValues"], answer["MetricValues"]) == ("ValidationError", [], [])
        assert words in answer["Message"]
    assert (good["Status"], good["MetricValues"]) == ("Complete", [0.25])
    with refused("ValidationException", "[Min, Max, Avg, Count, StdDev, Last]"):
        ask(sm_metrics, query(component, stat="Median"))


def test_what_mlflow_logs_is_asked_for_here(sm_metrics, mlflow_client, name):
    run = mlflow_client.create_run(mlflow_client.create_experiment(name)).info.run_id
    for step in range(3):
        mlflow_client.log_metric(run, "m", step * 1.5, timestamp=ms(0) + step, step=step)
    steps = {"period": "IterationNumber", "axis": "IterationNumber"}
    assert points(sm_metrics, run, metric="m", **steps) == [(0, 0.0), (1, 1.5), (2, 3.0)]


def test_values_for_a_component_that_is_not_there_are_refused_one_by_one(sm_metrics, name):
    told = put(sm_metrics, name, ("a", 0, 0, 1.0), ("b", 0, 0, 1.0))
    assert told["Errors"] == [{"Code": "VALIDATION_ERROR", "MetricIndex": 0}, {"Code": "VALIDATION_ERROR", "MetricIndex": 1}]


def test_one_bad_value_keeps_all_from_being_kept(sm, sm_metrics, component):
    with refused("ValidationException", "metricData.2.member.metricName"):
        put(sm_metrics, component, ("good", 0, 0, 1.0), ("no\x00name", 0, 0, 1.0), ("fine", 0, 0, 2.0))
    kept = {metric["MetricName"] for metric in sm.describe_trial_component(TrialComponentName=component)["Metrics"]}
    assert kept == {"loss", "acc"}
