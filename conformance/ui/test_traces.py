"""Traces in MLflow's pages. On a server that keeps none these are skipped, and say so."""

import pytest
from playwright.sync_api import expect


@pytest.fixture(autouse=True)
def _traces_are_kept(seeded):
    if not seeded["trace"]:
        pytest.skip("this server answers 501 to calls about traces")


def test_traces_are_listed(opened, seeded):
    page = opened(f"/experiments/{seeded['experiment']}/traces")
    expect(page.get_by_text("which card was stolen").first).to_be_visible()


def test_a_trace_shows_its_spans(opened, seeded):
    page = opened(f"/experiments/{seeded['experiment']}/traces?selectedEvaluationId={seeded['trace']}")
    for name in ("answer_question", "look_up"):
        expect(page.get_by_text(name).first).to_be_visible()
