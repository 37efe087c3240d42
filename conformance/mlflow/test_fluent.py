"""The fluent API as training scripts use it: nested runs, threads, processes, asynchronous logging, tables and figures."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from servers import peer_is_mlflow


@pytest.fixture(autouse=True)
def fluent(client: MlflowClient, base_url: str, unique) -> Iterator[str]:
    """A fresh experiment, active, with no run left open."""
    mlflow.set_tracking_uri(base_url)
    mlflow.set_registry_uri(base_url)
    name = unique("fluent")
    mlflow.set_experiment(name)
    yield name
    while mlflow.active_run():
        mlflow.end_run()


def history(client: MlflowClient, run_id: str, key: str) -> list[tuple[int, float]]:
    return [(metric.step, metric.value) for metric in client.get_metric_history(run_id, key)]


def test_a_run_from_start_to_end(client: MlflowClient, fluent: str) -> None:
    with mlflow.start_run(run_name="first", description="says **why**", tags={"team": "blue"}) as active:
        mlflow.log_param("depth", 3)
        mlflow.log_params({"rate": 0.1, "on": True, "none": None})
        for step in range(5):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metrics({"accuracy": 0.9, "f1": 0.8}, step=4)
        mlflow.set_tags({"phase": "test", "empty": ""})
        mlflow.delete_tag("phase")
        assert client.get_run(active.info.run_id).info.status == "RUNNING"
    run = mlflow.get_run(active.info.run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "first")
    assert run.info.end_time >= run.info.start_time
    assert run.data.params == {"depth": "3", "rate": "0.1", "on": "True", "none": "None"}
    assert run.data.metrics == {"loss": 0.2, "accuracy": 0.9, "f1": 0.8}
    assert run.data.tags["team"] == "blue"
    assert run.data.tags["empty"] == ""
    assert run.data.tags["mlflow.note.content"] == "says **why**"
    assert "phase" not in run.data.tags
    assert history(client, run.info.run_id, "loss") == [(step, 1 / (step + 1)) for step in range(5)]


def test_a_run_that_fails() -> None:
    with pytest.raises(ZeroDivisionError), mlflow.start_run() as active:
        1 / 0  # noqa: B018
    assert mlflow.get_run(active.info.run_id).info.status == "FAILED"


def test_going_on_with_a_run() -> None:
    with mlflow.start_run() as first:
        mlflow.log_metric("m", 1, step=1)
    with mlflow.start_run(run_id=first.info.run_id):
        assert mlflow.get_run(first.info.run_id).info.status == "RUNNING"
        mlflow.log_metric("m", 2, step=2)
    assert mlflow.get_run(first.info.run_id).data.metrics == {"m": 2.0}


def test_special_values(client: MlflowClient) -> None:
    with mlflow.start_run() as active:
        for step, value in enumerate((math.nan, math.inf, -math.inf, 5e-324, 1.7976931348623157e308, -0.0)):
            mlflow.log_metric("special", value, step=step)
    found = [value for _, value in history(client, active.info.run_id, "special")]
    assert math.isnan(found[0])
    # A database column keeps the greatest double in the place of infinity; the client sees that.
    assert found[1:] == [1.7976931348623157e308, -1.7976931348623157e308, 5e-324, 1.7976931348623157e308, 0.0]


def test_nested_runs(client: MlflowClient) -> None:
    with mlflow.start_run(run_name="parent") as parent:
        for depth in (1, 2):
            with mlflow.start_run(run_name=f"child {depth}", nested=True) as child:
                mlflow.log_param("depth", depth)
                with mlflow.start_run(run_name="grandchild", nested=True):
                    mlflow.log_metric("m", depth)
    children = mlflow.search_runs(filter_string=f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    assert sorted(children["tags.mlflow.runName"]) == ["child 1", "child 2"]
    assert client.get_parent_run(child.info.run_id).info.run_id == parent.info.run_id
    assert len(mlflow.search_runs()) == 5


def test_search_into_pandas() -> None:
    for number in range(12):
        with mlflow.start_run(run_name=f"run {number}"):
            mlflow.log_param("odd", number % 2)
            mlflow.log_metric("score", number / 10)
            if number % 3 == 0:
                mlflow.set_tag("third", "yes")
    frame = mlflow.search_runs(
        filter_string="metrics.score > 0.25 AND params.odd = '1'", order_by=["metrics.score DESC"]
    )
    assert list(frame["metrics.score"]) == [1.1, 0.9, 0.7, 0.5, 0.3]
    assert isinstance(frame["start_time"].dtype, pd.DatetimeTZDtype)
    assert list(frame["tags.third"].isna()) == [True, False, True, True, False]
    assert len(mlflow.search_runs(max_results=5)) == 5
    assert len(mlflow.search_runs(filter_string="attributes.run_name LIKE 'run 1%'")) == 3
    listed = mlflow.search_runs(order_by=["metrics.score ASC"], output_format="list")
    assert [run.data.metrics["score"] for run in listed] == [number / 10 for number in range(12)]
    assert mlflow.search_runs(filter_string="tags.third = 'no'").empty
    assert mlflow.last_active_run().info.run_name == "run 11"


def test_pages(client: MlflowClient, fluent: str) -> None:
    experiment = client.get_experiment_by_name(fluent)
    made = {client.create_run(experiment.experiment_id).info.run_id for _ in range(25)}
    found, token = [], None
    while True:
        page = client.search_runs([experiment.experiment_id], max_results=10, page_token=token)
        found += [run.info.run_id for run in page]
        if not (token := page.token):
            break
    assert len(found) == 25
    assert set(found) == made


def test_threads(client: MlflowClient) -> None:
    """Sixteen threads write one run through the client, as a data loader with workers does."""
    with mlflow.start_run() as active:
        run_id = active.info.run_id

    def work(number: int) -> None:
        for step in range(20):
            client.log_metric(run_id, f"m{number % 4}", number, step=number * 100 + step, timestamp=step)
        client.log_param(run_id, f"p{number}", number)
        if not peer_is_mlflow():  # where the first two to set a tag may collide in the database
            client.set_tag(run_id, "shared", str(number))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
    for key in range(4):
        steps = [step for step, _ in history(client, run_id, f"m{key}")]
        assert sorted(steps) == sorted(n * 100 + s for n in range(16) if n % 4 == key for s in range(20))
    run = client.get_run(run_id)
    assert run.data.params == {f"p{number}": str(number) for number in range(16)}
    assert run.data.metrics == {f"m{key}": float(12 + key) for key in range(4)}


def test_processes(client: MlflowClient, base_url: str, fluent: str) -> None:
    """Several processes write runs of one experiment and one common run."""
    common = mlflow.start_run(run_name="common").info.run_id
    mlflow.end_run()
    script = textwrap.dedent(
        """
        import sys
        import mlflow
        url, experiment, common, number = sys.argv[1:]
        mlflow.set_tracking_uri(url)
        mlflow.set_experiment(experiment)
        with mlflow.start_run(run_name="process " + number):
            mlflow.log_metrics({"m": int(number)}, step=1)
        client = mlflow.MlflowClient()
        for step in range(10):
            client.log_metric(common, "m", float(number), step=int(number) * 10 + step)
        """
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", script, base_url, fluent, common, str(number)], env=dict(os.environ))
        for number in range(3)
    ]
    assert [worker.wait(timeout=180) for worker in workers] == [0, 0, 0]
    names = set(mlflow.search_runs(experiment_names=[fluent])["tags.mlflow.runName"])
    assert names == {"common", "process 0", "process 1", "process 2"}
    assert sorted(step for step, _ in history(client, common, "m")) == list(range(30))


def test_asynchronous_logging(client: MlflowClient) -> None:
    with mlflow.start_run() as active:
        waiting = [mlflow.log_metric("m", step, step=step, synchronous=False) for step in range(300)]
        waiting.append(mlflow.log_params({f"p{number}": number for number in range(50)}, synchronous=False))
        waiting.append(mlflow.set_tags({f"t{number}": number for number in range(50)}, synchronous=False))
        for operation in waiting:
            operation.wait()
        mlflow.flush_async_logging()
    run = client.get_run(active.info.run_id)
    assert [step for step, _ in history(client, run.info.run_id, "m")] == list(range(300))
    assert len(run.data.params) == 50
    assert sum(key.startswith("t") for key in run.data.tags) == 50


def test_a_large_batch(client: MlflowClient) -> None:
    from mlflow.entities import Metric, Param, RunTag

    with mlflow.start_run() as active:
        run_id = active.info.run_id
    client.log_batch(
        run_id,
        metrics=[Metric("m", step * 0.5, 1_700_000_000_000 + step, step) for step in range(1000)],
        params=[Param(f"p{number}", "v" * 500) for number in range(100)],
        tags=[RunTag(f"t{number}", "v") for number in range(100)],
    )
    # More than one page of the history.
    for start in range(1000, 30_000, 1000):
        batch = [Metric("m", step * 0.5, 1_700_000_000_000 + step, step) for step in range(start, start + 1000)]
        client.log_batch(run_id, metrics=batch)
    assert history(client, run_id, "m") == [(step, step * 0.5) for step in range(30_000)]
    run = client.get_run(run_id)
    assert len(run.data.params) == 100
    assert run.data.metrics["m"] == 29_999 * 0.5


def test_figures_images_tables_and_files(client: MlflowClient, tmp_path) -> None:
    from matplotlib.figure import Figure

    with mlflow.start_run() as active:
        figure = Figure()
        figure.subplots().plot([1, 2, 3])
        mlflow.log_figure(figure, "plots/curve.png")
        mlflow.log_figure(figure, "plots/curve.svg")
        pixels = np.zeros((8, 8, 3), dtype=np.uint8)
        mlflow.log_image(pixels, "images/black.png")
        for step in range(2):
            mlflow.log_image(pixels, key="sample", step=step)
        mlflow.log_table({"in": ["a", "b"], "out": [1, 2]}, "table.json")
        mlflow.log_table(pd.DataFrame({"in": ["c"], "out": [3]}), "table.json")
        mlflow.log_dict({"a": {"b": [1, None]}}, "nested/dict.json")
        mlflow.log_text("<b>hi</b>", "page.html")
        (tmp_path / "notes.txt").write_text("notes")
        mlflow.log_artifact(str(tmp_path / "notes.txt"))
        run_id = active.info.run_id
    listed = {item.path for item in client.list_artifacts(run_id)}
    assert {"plots", "images", "table.json", "nested", "page.html", "notes.txt"} <= listed
    assert {item.path for item in client.list_artifacts(run_id, "plots")} == {"plots/curve.png", "plots/curve.svg"}
    assert (
        len(client.list_artifacts(run_id, "images")) == 5
    )  # one by name, and for each step a full and a compressed one
    table = mlflow.load_table("table.json", run_ids=[run_id])
    assert list(table["out"]) == [1, 2, 3]
    assert mlflow.artifacts.load_image(f"runs:/{run_id}/images/black.png").size == (8, 8)
    assert mlflow.artifacts.load_dict(f"runs:/{run_id}/nested/dict.json") == {"a": {"b": [1, None]}}


def test_inputs(client: MlflowClient) -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0], "y": [0, 1]})
    table = mlflow.data.from_pandas(frame, source="https://example.org/data.csv", name="table", targets="y")
    array = mlflow.data.from_numpy(np.arange(6).reshape(3, 2), name="array")
    with mlflow.start_run() as active:
        mlflow.log_input(table, context="training", tags={"split": "a"})
        mlflow.log_input(array, context="test")
    inputs = client.get_run(active.info.run_id).inputs.dataset_inputs
    found = {item.dataset.name: item for item in inputs}
    assert set(found) == {"table", "array"}
    assert found["table"].dataset.digest == table.digest
    assert {tag.key: tag.value for tag in found["table"].tags} == {"mlflow.data.context": "training", "split": "a"}
    source = mlflow.data.get_source(found["table"])
    assert source.uri == "https://example.org/data.csv" if hasattr(source, "uri") else source.url
    assert len(mlflow.search_runs(filter_string="datasets.name = 'table' AND datasets.context = 'training'")) == 1


@pytest.mark.client("3.0")
def test_metrics_of_a_model_and_a_dataset(client: MlflowClient, fluent: str) -> None:
    dataset = mlflow.data.from_pandas(pd.DataFrame({"x": [1]}), name="d")
    with mlflow.start_run():
        model = mlflow.initialize_logged_model(name="checkpoint", params={"depth": "3"}, tags={"a": "b"})
        mlflow.log_metric("loss", 0.5, step=1, model_id=model.model_id, dataset=dataset)
        mlflow.log_metric("loss", 0.4, step=2, model_id=model.model_id, dataset=dataset)
        mlflow.finalize_logged_model(model.model_id, "READY")
    found = mlflow.get_logged_model(model.model_id)
    assert (found.name, found.status, found.params, found.tags["a"]) == ("checkpoint", "READY", {"depth": "3"}, "b")
    points = {(metric.key, metric.step, metric.value, metric.dataset_name) for metric in found.metrics}
    assert points == {("loss", 1, 0.5, "d"), ("loss", 2, 0.4, "d")}
    experiment = client.get_experiment_by_name(fluent).experiment_id
    listed = mlflow.search_logged_models([experiment], filter_string="metrics.loss < 0.45", output_format="list")
    assert [item.model_id for item in listed] == [model.model_id]


def test_system_metrics(client: MlflowClient) -> None:
    pytest.importorskip("psutil")
    mlflow.set_system_metrics_sampling_interval(0.2)
    mlflow.set_system_metrics_samples_before_logging(1)
    import time

    with mlflow.start_run(log_system_metrics=True) as active:
        time.sleep(1.5)
    assert any(key.startswith("system/") for key in client.get_run(active.info.run_id).data.metrics)


def test_experiments(client: MlflowClient, unique) -> None:
    name = unique("fluent-own")
    experiment_id = mlflow.create_experiment(name, tags={"team": "blue"})
    mlflow.set_experiment(experiment_id=experiment_id)
    mlflow.set_experiment_tag("phase", "one")
    found = mlflow.get_experiment_by_name(name)
    assert (found.experiment_id, found.tags["team"], found.tags["phase"]) == (experiment_id, "blue", "one")
    assert [item.name for item in mlflow.search_experiments(filter_string=f"name = '{name}'")] == [name]
    mlflow.delete_experiment(experiment_id)
    assert mlflow.get_experiment(experiment_id).lifecycle_stage == "deleted"
    with pytest.raises(mlflow.MlflowException, match="deleted"):
        mlflow.set_experiment(name)
    client.restore_experiment(experiment_id)
    client.rename_experiment(experiment_id, name + "-new")
    assert mlflow.get_experiment(experiment_id).name == name + "-new"


def test_deleting_runs(client: MlflowClient) -> None:
    with mlflow.start_run() as active:
        mlflow.log_metric("m", 1)
    mlflow.delete_run(active.info.run_id)
    assert mlflow.search_runs().empty
    with pytest.raises(mlflow.MlflowException, match="must be in the 'active' state"):
        client.log_metric(active.info.run_id, "m", 2)
    client.restore_run(active.info.run_id)
    assert len(mlflow.search_runs()) == 1
