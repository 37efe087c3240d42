"""MLflow's web pages on a server that the stock client has filled, in headless Chromium.

A page that a test opens must load without a refused or failed request, and without an error in the browser's console.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import servers
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

HERE = Path(__file__).parent
# The environment whose pages are shown, and whose client fills the server.
MLFLOW = Path(os.environ.get("STELE_UI_MLFLOW") or servers.REPOSITORY / ".venv/mlflow3")
# Where a failed test leaves a picture.
PICTURES = Path(os.environ.get("STELE_UI_PICTURES") or servers.REPOSITORY / "target/ui")
PATIENCE_MS = 20_000
# MLflow's own server, as the judge of these tests, has the pages at its root.
ROOT = "/" if servers.peer_is_mlflow() else "/stele/mlflow/"
# What fails in MLflow's pages on MLflow's own server, which has no accounts without its login.
FAILS_AT_PEER = "users/current" if servers.peer_is_mlflow() else None

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """Finds the pages by itself, in the environment that is said to be the active one."""
    environment = {"VIRTUAL_ENV": str(MLFLOW), "STELE_STATIC_PREFIX": "/stele"}
    database = os.environ.get("STELE_DATABASE") or None
    with servers.running(tmp_path_factory.mktemp("ui"), database=database, environment=environment) as running:
        yield running


@pytest.fixture(scope="session")
def seeded(server: servers.Server) -> dict[str, Any]:
    """What is there, and under which ids."""
    command = [str(MLFLOW / "bin/python"), str(HERE / "seed.py"), server.url]
    environment = os.environ | {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert chromium, "there is no Chromium; scripts/ui.sh installs it"
    with sync_playwright() as playwright:
        # As root there is no sandbox, and in containers little shared memory.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One for each test, since the pages remember filters and columns."""
    context = browser.new_context(viewport={"width": 1600, "height": 1000})
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


class Watched:
    """A page, and what went wrong in it."""

    def __init__(self, page: Page, root: str) -> None:
        self.page, self.root = page, root
        self.wrong: list[str] = []
        self.calls: list[str] = []
        page.on("request", self._request)
        page.on("requestfailed", self._failed)
        page.on("response", lambda answer: answer.status >= 400 and self._wrong(answer.status, answer.request))
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))

    def _request(self, request: Request) -> None:
        self.calls.append(f"{request.method} {request.url}")

    def _failed(self, request: Request) -> None:
        # The pages take back questions whose answer they need no longer.
        if request.failure != "net::ERR_ABORTED":
            self._wrong(request.failure, request)

    def _said(self, message: ConsoleMessage) -> None:
        # A failed request is among the answers, with its address; the other is what Chromium says of any busy layout.
        known = ("Failed to load resource", "ResizeObserver loop")
        if message.type == "error" and not any(text in message.text for text in known):
            self.wrong.append(f"console: {message.text}")

    def _wrong(self, what: object, request: Request) -> None:
        if FAILS_AT_PEER and FAILS_AT_PEER in request.url:
            return
        self.wrong.append(f"{what}: {request.method} {request.url} {request.post_data or ''}")

    def open(self, place: str) -> Page:
        self.page.goto(f"{self.root}#{place}")
        expect(self.page.locator("#root")).not_to_be_empty()
        return self.page


@pytest.fixture
def watched(
    context: BrowserContext, server: servers.Server, seeded: dict[str, Any], request: pytest.FixtureRequest
) -> Iterator[Watched]:
    page = context.new_page()
    watched = Watched(page, f"{server.url}{ROOT}")
    failed_before = request.session.testsfailed
    yield watched
    page.wait_for_timeout(300)
    if request.session.testsfailed > failed_before or watched.wrong:
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURES / f"{request.node.name}.png")
    page.close()
    assert watched.wrong == []
    own = (f" {server.url}/", " blob:", " data:")
    assert [call for call in watched.calls if not any(place in call for place in own)] == [], "asked of others"


@pytest.fixture
def opened(watched: Watched):
    """Opens a place in the pages, such as `/models`."""
    return watched.open


@pytest.fixture
def call(server: servers.Server):
    """Asks the server itself what has become of a change."""

    def ask(path: str, **fields: str) -> Any:
        url = f"{server.url}/api/2.0/mlflow/{path}?{urlencode(fields)}"
        with urlopen(url, timeout=10) as answer:
            return json.load(answer)

    return ask
