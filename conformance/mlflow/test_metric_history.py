"""Reading all points of a metric: one run, many runs, and an even sample of many."""

import math

import pytest

from wire import missing, offset_token, token_content, wrong_type

# (value, timestamp, step), in the order of metrics/get-history: timestamp, step, value, with NaN at the place of 0.
ORDERED = [(9, 1, 1), (3, 4, 1), (-1, 5, 0), ("NaN", 5, 0), (1, 5, 0), (2, 5, 0), (0.5, 5, 7), (4, 8, -3)]


def points(key, rows):
    return [{"key": key, "value": value, "timestamp": timestamp, "step": step} for value, timestamp, step in rows]


def rows_of(metrics):
    return [(metric["value"], metric["timestamp"], metric["step"]) for metric in metrics]


@pytest.fixture
def log(api):
    def send(run_id, rows, key="m"):
        api.post("runs/log-batch", run_id=run_id, metrics=points(key, rows)).ok

    return send


@pytest.fixture
def scattered(run, log):
    """A run whose points were logged out of order and twice."""
    log(run, ORDERED[::-2])
    log(run, ORDERED[::-1])
    log(run, [(1, 1, 1)], key="other")
    return run


class TestOneRun:
    def test_shape_and_order(self, api, scattered):
        body = api.get("metrics/get-history", run_id=scattered, metric_key="m").ok
        assert body == {"metrics": points("m", [(float(v) if v != "NaN" else v, t, s) for v, t, s in ORDERED])}

    def test_run_uuid(self, api, scattered):
        by_id = api.get("metrics/get-history", run_id=scattered, metric_key="m").ok
        assert api.get("metrics/get-history", run_uuid=scattered, metric_key="m").ok == by_id

    def test_nothing_logged_or_no_such_run(self, api, run):
        assert api.get("metrics/get-history", run_id=run, metric_key="nothing").ok == {}
        assert api.get("metrics/get-history", run_id="nobody", metric_key="m").ok == {}

    def test_deleted_runs_keep_their_history(self, api, scattered):
        api.post("runs/delete", run_id=scattered).ok
        body = api.get("metrics/get-history", run_id=scattered, metric_key="m").ok
        assert rows_of(body["metrics"]) == ORDERED

    @pytest.mark.parametrize("size", [1, 3, 4, 8, 9, 100])
    def test_pages(self, api, scattered, size):
        seen, token = [], None
        while True:
            query = {"run_id": scattered, "metric_key": "m", "max_results": size}
            body = api.get("metrics/get-history", **query, **({"page_token": token} if token else {})).ok
            assert len(body["metrics"]) <= size
            seen += rows_of(body["metrics"])
            token = body.get("next_page_token")
            if token is None:
                break
            assert token_content(token) == {"offset": len(seen)}
        assert seen == ORDERED

    def test_a_token_alone_skips(self, api, scattered):
        body = api.get("metrics/get-history", run_id=scattered, metric_key="m", page_token=offset_token(5)).ok
        assert rows_of(body["metrics"]) == ORDERED[5:]
        assert "next_page_token" not in body

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ({"metric_key": "m"}, missing("run_id")),
            ({"run_id": "r"}, missing("metric_key")),
            ({"run_id": "r", "metric_key": ""}, missing("metric_key")),
            (
                {"run_id": "r", "metric_key": "m", "max_results": 0},
                "Invalid value 0 for parameter 'max_results' supplied. It must be a positive integer.",
            ),
            (
                {"run_id": "r", "metric_key": "m", "max_results": -2},
                "Invalid value -2 for parameter 'max_results' supplied. It must be a positive integer.",
            ),
            (
                {"run_id": "r", "metric_key": "m", "page_token": "zzz"},
                "Invalid page token, could not base64-decode",
            ),
        ],
    )
    def test_refusals(self, api, query, message):
        api.get("metrics/get-history", **query).invalid(exactly=message)

    def test_client(self, client, scattered):
        history = client.get_metric_history(scattered, "m")
        found = [("NaN" if math.isnan(m.value) else m.value, m.timestamp, m.step) for m in history]
        assert found == ORDERED
        assert client.get_metric_history(scattered, "nothing") == []

    def test_many_points(self, api, client, run, log):
        rows = [(i * 0.5, 1000 + i, i) for i in range(2500)]
        for start in range(0, 2500, 1000):
            log(run, rows[start : start + 1000])
        assert rows_of(api.get("metrics/get-history", run_id=run, metric_key="m").ok["metrics"]) == rows
        assert [m.value for m in client.get_metric_history(run, "m")] == [row[0] for row in rows]


class TestManyRuns:
    """The UI's metrics/get-history-bulk, which exists below /ajax-api only."""

    PATH = "metrics/get-history-bulk"

    def test_runs_by_id_then_points(self, ajax, new_run, log):
        runs = [new_run() for _ in range(3)]
        rows = [(10, 1, 2), (11, 1, 3), (12, 1, 3), (12, 2, 3)]
        log(runs[0], rows[::-1])
        log(runs[1], rows)
        body = ajax.get(self.PATH, run_id=[runs[1], runs[2], runs[0], "nobody"], metric_key="m").ok
        assert body == {
            "metrics": [
                {**point, "value": float(point["value"]), "run_id": run_id}
                for run_id in sorted(runs[:2])
                for point in points("m", rows)
            ]
        }

    def test_one_run(self, ajax, scattered):
        body = ajax.get(self.PATH, run_id=scattered, metric_key="m").ok
        found = [("NaN" if v != v else v, t, s) for v, t, s in rows_of(body["metrics"])]
        assert found == ORDERED

    def test_max_results_is_over_all_runs(self, ajax, new_run, log):
        runs = sorted(new_run() for _ in range(2))
        for run_id in runs:
            log(run_id, [(1, 1, 1), (2, 2, 2)])
        body = ajax.get(self.PATH, run_id=runs, metric_key="m", max_results=3).ok
        assert [metric["run_id"] for metric in body["metrics"]] == [runs[0], runs[0], runs[1]]

    def test_nothing(self, ajax, run):
        assert ajax.get(self.PATH, run_id=run, metric_key="nothing").ok == {"metrics": []}

    def test_refusals(self, ajax):
        ajax.get(self.PATH, metric_key="m").invalid("GetMetricHistoryBulk request must specify at least one run_id.")
        ajax.get(self.PATH, run_id="r").invalid("GetMetricHistoryBulk request must specify a metric_key.")
        ajax.get(self.PATH, run_id=[f"r{i}" for i in range(101)], metric_key="m").invalid(
            "GetMetricHistoryBulk request cannot specify more than 100 run_ids. Received 101 run_ids."
        )

    def test_a_hundred_runs_are_fine(self, ajax):
        assert ajax.get(self.PATH, run_id=[f"r{i}" for i in range(100)], metric_key="m").ok == {"metrics": []}

    def test_not_below_api(self, api):
        assert api.get(self.PATH, run_id="r", metric_key="m").status == 404


class TestSample:
    """metrics/get-history-bulk-interval: at most so many points a run, first and last always there."""

    PATH = "metrics/get-history-bulk-interval"

    @pytest.fixture
    def steps(self, api):
        def read(run_ids, **query):
            body = api.get(self.PATH, run_ids=run_ids, metric_key="m", **query).ok
            return [metric["step"] for metric in body.get("metrics", [])]

        return read

    def test_shape_and_order(self, api, ajax, scattered):
        body = api.get(self.PATH, run_ids=scattered, metric_key="m").ok
        by_step = sorted(ORDERED, key=lambda row: (row[2], row[1], 0 if row[0] == "NaN" else row[0]))
        assert body == {
            "metrics": [
                {
                    **point,
                    "value": point["value"] if point["value"] == "NaN" else float(point["value"]),
                    "run_id": scattered,
                }
                for point in points("m", by_step)
            ]
        }
        assert ajax.get(self.PATH, run_ids=scattered, metric_key="m").ok == body

    @pytest.mark.parametrize(
        ("count", "size", "expected"),
        [
            (10, 5, [0, 2, 4, 6, 9]),
            (10, 3, [0, 4, 9]),
            (10, 2, [0, 9]),
            (10, 1, [9]),
            (10, 10, list(range(10))),
            (10, 11, list(range(10))),
            (7, 3, [0, 3, 6]),
            (1, 1, [0]),
            (101, 5, [0, 21, 41, 61, 100]),
        ],
    )
    def test_even_spread(self, run, log, steps, count, size, expected):
        log(run, [(1.0, 5, step) for step in range(count)])
        assert steps(run, max_results=size) == expected

    def test_many_points_on_one_step_stay_bounded(self, api, run, log):
        log(run, [(float(i), i, 0) for i in range(300)])
        found = api.get(self.PATH, run_ids=run, metric_key="m", max_results=4).ok["metrics"]
        assert [metric["value"] for metric in found] == [0.0, 75.0, 150.0, 299.0]

    def test_ranges_include_both_ends(self, run, log, steps):
        log(run, [(1.0, 5, step) for step in range(10)])
        assert steps(run, start_step=2, end_step=4) == [2, 3, 4]
        assert steps(run, start_step=3, end_step=3) == [3]
        assert steps(run, start_step=0, end_step=8, max_results=3) == [0, 3, 8]
        assert steps(run, start_step=50, end_step=60) == []
        assert steps(run, start_step=-5, end_step=1) == [0, 1]

    def test_each_run_has_its_own_sample_in_the_order_asked(self, api, new_run, log):
        runs = sorted((new_run() for _ in range(2)), reverse=True)
        log(runs[0], [(1.0, 5, step) for step in range(10)])
        log(runs[1], [(1.0, 5, step) for step in range(20)])
        found = api.get(self.PATH, run_ids=runs, metric_key="m", max_results=2).ok["metrics"]
        assert [(metric["run_id"], metric["step"]) for metric in found] == [
            (runs[0], 0), (runs[0], 9), (runs[1], 0), (runs[1], 19),
        ]  # fmt: skip

    def test_nothing(self, api, run):
        assert api.get(self.PATH, run_ids=[run, "nobody"], metric_key="m").ok == {}

    def test_default_is_2500_points(self, run, log, steps):
        for start in range(0, 3000, 1000):
            log(run, [(1.0, 5, start + i) for i in range(1000)])
        found = steps(run)
        assert len(found) == 2500
        assert (found[0], found[-1]) == (0, 2999)

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ({"metric_key": "m"}, missing("run_ids")),
            ({"run_ids": "r"}, missing("metric_key")),
            ({"run_ids": "r", "metric_key": ""}, missing("metric_key")),
            (
                {"run_ids": "r", "metric_key": "m", "start_step": "a", "end_step": 4},
                wrong_type("a", "start_step", "str"),
            ),
            (
                {"run_ids": "r", "metric_key": "m", "start_step": 1},
                "If either start step or end step are specified, both must be specified.",
            ),
            (
                {"run_ids": "r", "metric_key": "m", "end_step": 1},
                "If either start step or end step are specified, both must be specified.",
            ),
            (
                {"run_ids": "r", "metric_key": "m", "start_step": 2, "end_step": 1},
                "end_step must be greater than start_step. Found start_step=2 and end_step=1.",
            ),
        ],
    )
    def test_refusals(self, api, query, message):
        api.get(self.PATH, **query).invalid(exactly=message)

    @pytest.mark.parametrize("size", [0, -1, 2501])
    def test_sizes_out_of_range(self, api, size):
        api.get(self.PATH, run_ids="r", metric_key="m", max_results=size).invalid(
            "max_results must be between 1 and 2500."
        )

    def test_too_many_runs(self, api):
        api.get(self.PATH, run_ids=[f"r{i}" for i in range(101)], metric_key="m").invalid(
            "GetMetricHistoryBulkInterval request must specify at most 100 run_ids. Received 101 run_ids."
        )
