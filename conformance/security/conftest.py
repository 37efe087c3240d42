from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from hostile_site import Site, furnish
from raw_http import Wire
from servers import running


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    base = tmp_path_factory.mktemp("site")
    outside = base / "outside"
    outside.mkdir()
    secret, listed = f"secret-{uuid.uuid4().hex}", f"listed-{uuid.uuid4().hex}"
    (outside / "secret.txt").write_text(secret)
    (outside / listed).write_text(secret)
    # A folder whose name begins like the root's, for checks that compare texts instead of paths.
    twin = base / "server" / "artifacts-twin"
    twin.mkdir(parents=True)
    (twin / "secret.txt").write_text(secret)
    with running(base / "server") as server:
        made = Site(server, Wire(server.url, keep_alive=False), outside, secret, listed)
        furnish(made)
        yield made
