"""Experiments and runs in MLflow's pages."""

import re
import time

import pytest
import servers
from playwright.sync_api import Locator, Page, expect

of_stele = pytest.mark.skipif(servers.peer_is_mlflow(), reason="MLflow's own server has its pages here")


@of_stele
def test_the_front_page_leads_on(watched, server, seeded):
    page = watched.page
    page.goto(f"{server.url}/")
    expect(page.get_by_role("heading", name="Stele")).to_be_visible()
    page.get_by_role("link", name="MLflow's web pages").click()
    expect(page.get_by_role("link", name="fraud-detection")).to_be_visible()


@of_stele
def test_links_that_clients_print_lead_to_the_run(watched, server, seeded):
    watched.page.goto(f"{server.url}/#/experiments/{seeded['experiment']}/runs/{seeded['rich_run']}")
    expect(watched.page.get_by_role("heading", name="everything")).to_be_visible()


def test_experiments_are_listed_and_found(opened, seeded):
    page = opened("/experiments")
    for name in ("churn", "price-forecast", "fraud-detection"):
        expect(page.get_by_role("link", name=name)).to_be_visible()
    search = page.get_by_placeholder("Search experiments")
    search.fill("fraud")
    search.press("Enter")
    expect(page.get_by_role("link", name="churn")).to_have_count(0)
    expect(page.get_by_role("link", name="fraud-detection")).to_be_visible()


def runs_page(opened, seeded) -> Page:
    page = opened(f"/experiments/{seeded['experiment']}/runs")
    expect(page.get_by_text("35 matching runs")).to_be_visible()
    return page


def filter_runs(page: Page, text: str) -> None:
    field = page.get_by_placeholder("metrics.rmse < 1")
    field.fill(text)
    field.press("Enter")


def expect_from_top_to_bottom(found: Locator, texts: list[str]) -> None:
    """The table moves its rows about by their style alone, so their order in the document says nothing."""
    by_height = """found => found.map(one => [one.getBoundingClientRect().y, one.textContent])
        .sort((one, other) => one[0] - other[0]).map(one => one[1])"""
    give_up = time.monotonic() + 20
    while (seen := found.evaluate_all(by_height)) != texts and time.monotonic() < give_up:
        found.page.wait_for_timeout(100)
    assert seen == texts


def test_runs_are_filtered(opened, seeded):
    page = runs_page(opened, seeded)
    filter_runs(page, "metrics.final > 0.945 and tags.family = 'forest'")
    expect(page.get_by_text("3 matching runs")).to_be_visible()
    for name in ("sweep-25", "sweep-27", "sweep-29"):
        expect(page.get_by_role("link", name=name)).to_be_visible()
    expect(page.get_by_role("link", name="sweep-28")).to_have_count(0)


def test_runs_are_sorted(opened, seeded):
    page = runs_page(opened, seeded)
    filter_runs(page, "params.depth = '2'")
    expect(page.get_by_text("6 matching runs")).to_be_visible()
    names = page.get_by_role("link", name=re.compile("^sweep-"))
    expect_from_top_to_bottom(names, [f"sweep-{number:02}" for number in (25, 20, 15, 10, 5, 0)])
    page.get_by_role("button", name=re.compile("^Sort")).click()
    page.get_by_placeholder("Search", exact=True).fill("final")
    page.get_by_role("menuitemcheckbox", name="final").click()
    # Best first is the order that they are in already; the worst must come first to tell.
    page.get_by_role("button", name=re.compile("^Sort")).click()
    page.get_by_role("button", name="Sort ascending").click()
    expect(page).to_have_url(re.compile("orderByAsc=true"))
    expect_from_top_to_bottom(names, [f"sweep-{number:02}" for number in (0, 5, 10, 15, 20, 25)])


def test_runs_are_compared(opened, seeded):
    page = runs_page(opened, seeded)
    filter_runs(page, "params.depth = '2' and metrics.final > 0.84")
    expect(page.get_by_text("3 matching runs")).to_be_visible()
    page.get_by_role("checkbox").first.check()
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text(re.compile("Comparing 3 Runs"))).to_be_visible()
    expect(page.get_by_text("Parallel Coordinates Plot")).to_be_visible()
    expect(page.get_by_text("sweep-25").first).to_be_visible()


def test_a_run_shows_what_was_logged(opened, seeded):
    page = opened(f"/experiments/{seeded['experiment']}/runs/{seeded['rich_run']}")
    for text in ("everything", "The run with everything.", "transactions", "only-once", "has artifacts", "fraud-classifier"):
        expect(page.get_by_text(text, exact=False).first).to_be_visible()


def test_a_run_has_charts(opened, seeded):
    page = opened(f"/experiments/{seeded['experiment']}/runs/{seeded['rich_run']}/model-metrics")
    for name in ("accuracy", "only-once", "samples"):
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
    # The curve has a point for each of the forty steps.
    expect(page.locator(".scatterlayer .js-line").first).to_be_visible()


def test_a_run_has_artifacts(opened, seeded):
    page = opened(f"/experiments/{seeded['experiment']}/runs/{seeded['rich_run']}/artifacts")
    page.get_by_text("reports", exact=True).click()
    page.get_by_text("summary.txt", exact=True).click()
    expect(page.get_by_text("second line of the report")).to_be_visible()
    page.get_by_text("confusion.png", exact=True).click()
    picture = page.locator("img[src^='blob:'], img[src^='data:image/png']").first
    expect(picture).to_be_visible()
    assert picture.evaluate("picture => picture.naturalWidth") == 120
    page.get_by_text("predictions.json", exact=True).click()
    expect(page.get_by_text("country").first).to_be_visible()
    page.get_by_text("report.html", exact=True).click()
    expect(page.frame_locator("iframe").get_by_text("Report in HTML")).to_be_visible()


def test_a_run_gets_a_tag(opened, seeded, call):
    run = seeded["runs"][4]
    page = opened(f"/experiments/{seeded['experiment']}/runs/{run}")
    page.get_by_role("button", name=re.compile("tags")).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox").fill("reviewed")
    page.get_by_text(re.compile("Add tag .*reviewed")).click()
    dialog.get_by_placeholder("Type a value").fill("yes")
    dialog.get_by_role("button", name="Add tag").click()
    dialog.get_by_role("button", name="Save tags").click()
    expect(dialog).to_have_count(0)
    tags = call("runs/get", run_id=run)["run"]["data"]["tags"]
    assert {"key": "reviewed", "value": "yes"} in tags


@pytest.mark.parametrize(
    "place", ["overview/usage", "overview/quality", "overview/tool-calls", "chat-sessions", "evaluation-runs", "datasets", "judges", "prompts", "playground"]
)  # fmt: skip
def test_the_other_pages_of_an_experiment_open(opened, seeded, place):
    """What is wrong on the way is in the network's log, which every page is held to."""
    page = opened(f"/experiments/{seeded['experiment']}/{place}")
    expect(page.get_by_text("fraud-detection").first).to_be_visible()
    page.wait_for_load_state("load")


@pytest.mark.parametrize("place", ["general", "webhooks", "llm-connections"])
def test_settings_open(opened, place):
    page = opened(f"/settings/{place}")
    expect(page.get_by_text("Settings").first).to_be_visible()
