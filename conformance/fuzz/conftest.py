"""One server for the whole suite."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from bystanders import Ids, make
from raw_http import Wire
from servers import running


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if url := os.environ.get("STELE_URL"):
        yield url
        return
    with running(tmp_path_factory.mktemp("fuzz")) as server:
        yield server.url


@pytest.fixture(scope="session")
def wire(server_url: str) -> Wire:
    return Wire(server_url, keep_alive=False)


@pytest.fixture(scope="session")
def victim(wire: Wire) -> Ids:
    return make(wire, "victim")


@pytest.fixture(scope="session")
def witness(wire: Wire) -> Ids:
    return make(wire, "witness")
