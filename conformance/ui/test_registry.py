"""Registered models, prompts and logged models in MLflow's pages."""

import re

from playwright.sync_api import expect


def test_models_are_listed(opened, seeded):
    page = opened("/models")
    for name in (seeded["model"], "churn-model"):
        expect(page.get_by_role("link", name=name)).to_be_visible()
    expect(page.get_by_text("champion").first).to_be_visible()
    expect(page.get_by_text(seeded["prompt"])).to_have_count(0)


def test_a_model_shows_its_versions(opened, seeded):
    page = opened(f"/models/{seeded['model']}")
    expect(page.get_by_text("Tells fraud from the rest.")).to_be_visible()
    for version in (1, 2, 3):
        expect(page.get_by_role("link", name=f"Version {version}")).to_be_visible()


def test_a_logged_model_is_shown(opened, seeded):
    page = opened(f"/experiments/{seeded['experiment']}/models")
    page.get_by_role("link", name="scorer").first.click()
    expect(page.get_by_text(seeded["logged_model"]).first).to_be_visible()
    expect(page.get_by_text("constant").first).to_be_visible()


def test_prompts_are_listed_and_shown(opened, seeded):
    page = opened("/prompts")
    page.get_by_role("link", name=seeded["prompt"]).click()
    expect(page.get_by_text("kindly").first).to_be_visible()


def version_page(opened, seeded, number: int):
    page = opened(f"/models/{seeded['model']}/versions/{number}")
    expect(page.get_by_role("heading", name=f"Version {number}")).to_be_visible()
    return page


def test_a_version_is_shown(opened, seeded):
    page = version_page(opened, seeded, 2)
    expect(page.get_by_role("link", name="everything")).to_be_visible()
    expect(page.get_by_text("champion")).to_be_visible()
    # From the MLmodel file, which the server hands out.
    page.get_by_text("Inputs (3)").click()
    expect(page.get_by_text("country").first).to_be_visible()


def test_a_version_gets_a_tag(opened, seeded, call):
    page = version_page(opened, seeded, 1)
    page.get_by_label("tag name").fill("checked")
    page.get_by_label("tag value").fill("by hand")
    page.get_by_role("button", name="Add", exact=True).last.click()
    expect(page.get_by_role("cell", name="by hand")).to_be_visible()
    version = call("model-versions/get", name=seeded["model"], version="1")["model_version"]
    assert {"key": "checked", "value": "by hand"} in version["tags"]


def test_a_version_gets_an_alias(opened, seeded, call):
    page = version_page(opened, seeded, 3)
    page.get_by_role("button", name="Add", exact=True).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox").fill("challenger")
    dialog.get_by_role("combobox").press("Enter")
    dialog.get_by_role("button", name=re.compile("Save")).click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_text("challenger")).to_be_visible()
    assert call("registered-models/alias", name=seeded["model"], alias="challenger")["model_version"]["version"] == "3"


def test_a_version_moves_to_a_stage(opened, seeded, call):
    page = version_page(opened, seeded, 3)
    page.get_by_role("switch", name="New model registry UI").click()
    page.get_by_role("button", name="Disable").click()
    page.get_by_role("status").filter(has_text="None").click()
    page.get_by_role("menuitem").filter(has_text="Production").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("OK|Transition|Confirm")).click()
    expect(page.get_by_role("status").filter(has_text="Production")).to_be_visible()
    version = call("model-versions/get", name=seeded["model"], version="3")["model_version"]
    assert version["current_stage"] == "Production"
