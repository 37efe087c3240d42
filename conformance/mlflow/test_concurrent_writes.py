"""Many clients at once: nothing is lost, nothing is handed out twice."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from wire import Api, mapping

CLIENTS = 8


@pytest.fixture
def together(base_url):
    """Run a function of (own api, number) many times at once; returns the results in order."""

    def run(function, times=CLIENTS):
        with ThreadPoolExecutor(CLIENTS) as pool:
            return list(pool.map(lambda number: function(Api(base_url), number), range(times)))

    return run


def test_metrics_of_one_run(together, run, api, read_run):
    def log(own, number):
        for step in range(20):
            own.post("runs/log-metric", run_id=run, key="m", value=number, timestamp=step, step=step * 100 + number).ok

    together(log)
    history = api.get("metrics/get-history", run_id=run, metric_key="m").ok["metrics"]
    assert len(history) == len({point["step"] for point in history}) == CLIENTS * 20
    (latest,) = read_run(run)["data"]["metrics"]
    assert latest["step"] == 1900 + CLIENTS - 1


def test_the_same_batch_from_everyone(together, run, api, read_run):
    batch = {
        "run_id": run,
        "metrics": [{"key": f"m{i}", "value": i, "timestamp": 1, "step": 0} for i in range(50)],
        "params": [{"key": f"p{i}", "value": "v"} for i in range(20)],
    }

    def send(own, _):
        # MLflow's own server may lose the race for a param and answer 400; a retry then finds it there.
        for _ in range(10):
            if own.post("runs/log-batch", batch).status == 200:
                return True
        return False

    assert all(together(send))
    found = read_run(run)["data"]
    assert len(found["metrics"]) == 50
    assert mapping(found["params"]) == {f"p{i}": "v" for i in range(20)}
    assert len(api.get("metrics/get-history", run_id=run, metric_key="m7").ok["metrics"]) == 1


def test_a_param_has_one_winner(together, run, read_run):
    def log(own, number):
        return own.post("runs/log-parameter", run_id=run, key="p", value=str(number))

    answers = together(log)
    winners = [number for number, answer in enumerate(answers) if answer.status == 200]
    assert len(winners) == 1
    assert mapping(read_run(run)["data"]["params"]) == {"p": str(winners[0])}
    assert all(answer.status == 400 for number, answer in enumerate(answers) if number != winners[0])


def test_one_experiment_of_a_name(together, unique):
    name = unique()
    answers = together(lambda own, _: own.post("experiments/create", name=name))
    assert sorted(answer.status for answer in answers) == [200] + [400] * (CLIENTS - 1)
    assert {answer.body["error_code"] for answer in answers if answer.status == 400} == {"RESOURCE_ALREADY_EXISTS"}


def test_one_model_of_a_name(together, unique):
    name = unique()
    answers = together(lambda own, _: own.post("registered-models/create", name=name))
    assert sorted(answer.status for answer in answers) == [200] + [400] * (CLIENTS - 1)


def test_runs_and_experiments_have_their_own_ids(together, experiment, unique):
    def create(own, number):
        made = own.post("experiments/create", name=unique()).ok["experiment_id"]
        return made, own.post("runs/create", experiment_id=experiment).ok["run"]["info"]["run_id"]

    made = together(create, 3 * CLIENTS)
    assert len({experiment_id for experiment_id, _ in made}) == len({run_id for _, run_id in made}) == 3 * CLIENTS


@pytest.mark.stele_only
def test_version_numbers_are_handed_out_once(together, model):
    """MLflow's own server gives up after three lost races; Stele does not lose them."""

    def create(own, _):
        return int(own.post("model-versions/create", name=model, source="s3://b/m").ok["model_version"]["version"])

    assert sorted(together(create, 3 * CLIENTS)) == list(range(1, 3 * CLIENTS + 1))
