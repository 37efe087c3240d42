"""Killing the server at any moment loses nothing that it acknowledged, and repeats nothing.

Each round starts the server on the same data, lets eleven clients write at once, kills the server in the middle of it, starts
it again, sends the unanswered requests once more, and compares. A last pass reads everything of all rounds.
STELE_KILL_ROUNDS sets the number of rounds (50), STELE_TEST_POSTGRES adds PostgreSQL, PEER=mlflow runs MLflow's server.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from servers import Server, fresh_postgres_database, peer_is_mlflow
from raw_http import Wire
from workload import API, WRITERS, Writer

ROUNDS = int(os.environ.get("STELE_KILL_ROUNDS", "2" if peer_is_mlflow() else "50"))
POSTGRES = os.environ.get("STELE_TEST_POSTGRES")


def test_sqlite(tmp_path: Path) -> None:
    kill_again_and_again(Server(tmp_path))


@pytest.mark.skipif(not POSTGRES, reason="STELE_TEST_POSTGRES is not set")
def test_postgres(tmp_path: Path) -> None:
    with fresh_postgres_database(POSTGRES or "") as database:
        kill_again_and_again(Server(tmp_path, database=database))


def kill_again_and_again(server: Server) -> None:
    server.start()
    try:
        experiment_id = Wire(server.url).expect("POST", f"{API}/experiments/create", {"name": "kill"})["experiment_id"]
        everyone: list[Writer] = []
        for number in range(ROUNDS):
            writers = one_round(server, experiment_id, number)
            everyone += writers
        for writer in everyone:
            check(writer)
    finally:
        server.kill()
    counts = Counter({type(writer).__name__: 0 for writer in everyone})
    for writer in everyone:
        counts[type(writer).__name__] += len(writer.acknowledged)
    print(f"{ROUNDS} kills, acknowledged and found: {dict(counts)}")
    silent = [kind for kind, count in counts.items() if count == 0]
    assert peer_is_mlflow() or not silent, f"nothing was acknowledged of {silent}: the rounds are too short to prove anything"


def one_round(server: Server, experiment_id: str, number: int) -> list[Writer]:
    writers = [
        kind(Wire(server.url), experiment_id, f"{kind.__name__}-{number}-{index}")
        for kind, count in WRITERS
        for index in range(count)
    ]
    stop = threading.Event()
    failures: list[Exception] = []

    def work(writer: Writer) -> None:
        try:
            writer.write_until(stop)
        except Exception as failure:
            failures.append(failure)

    for writer in writers:
        writer.prepare()
    threads = [threading.Thread(target=work, args=(writer,), name=writer.name) for writer in writers]
    for thread in threads:
        thread.start()
    time.sleep(random.uniform(0.05, 0.6) * (5 if peer_is_mlflow() else 1))
    assert server.alive(), f"the server died by itself:\n{server.log_tail()}"
    server.kill()
    stop.set()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive(), f"{thread.name} is stuck"
    assert not failures, f"round {number}: {failures}"

    server.start()
    for writer in writers:
        check(writer)
    # A client that got no answer asks again; the answer of the first attempt may have been lost, not the write.
    for writer in writers:
        writer.wire.close()
        writer.send_open_again()
        check(writer)
    return writers


def check(writer: Writer) -> None:
    # A server closes connections that were idle for long.
    writer.wire.close()
    writer.check()
