"""Prompts: models of the registry whose versions hold a text in a tag."""

import mlflow
import pytest

pytestmark = pytest.mark.client("3.4")


@pytest.fixture
def genai(client):
    return mlflow.genai


@pytest.fixture
def prompt(genai, unique):
    """A prompt with two versions: its name."""
    name = unique("prompt")
    genai.register_prompt(name=name, template="Hi {{who}}", commit_message="first", tags={"lang": "en"})
    genai.register_prompt(name=name, template="Hello {{who}}!", commit_message="second", tags={"lang": "en", "v": "2"})
    return name


def test_versions_are_registered_and_loaded(genai, prompt):
    first, second = genai.load_prompt(prompt, version=1), genai.load_prompt(f"prompts:/{prompt}/2")
    assert (first.version, first.template, first.commit_message) == (1, "Hi {{who}}", "first")
    assert (second.version, second.template, second.tags) == (2, "Hello {{who}}!", {"lang": "en", "v": "2"})
    assert second.format(who="you") == "Hello you!"
    assert first.variables == {"who"}
    assert genai.load_prompt(prompt).version == 2
    assert genai.load_prompt(f"prompts:/{prompt}@latest").version == 2


def test_a_prompt_that_is_not_there(genai, prompt, unique):
    assert genai.load_prompt(unique(), version=1, allow_missing=True) is None
    assert genai.load_prompt(prompt, version=9, allow_missing=True) is None
    with pytest.raises(mlflow.MlflowException, match="not found"):
        genai.load_prompt(unique(), version=1)


def test_aliases(genai, prompt):
    genai.set_prompt_alias(prompt, alias="live", version=1)
    assert genai.load_prompt(f"prompts:/{prompt}@live").version == 1
    genai.set_prompt_alias(prompt, alias="live", version=2)
    assert genai.load_prompt(f"prompts:/{prompt}@live", cache_ttl_seconds=0).version == 2
    genai.delete_prompt_alias(prompt, alias="live")
    with pytest.raises(mlflow.MlflowException, match="not found"):
        genai.load_prompt(f"prompts:/{prompt}@live", cache_ttl_seconds=0)


def test_tags_of_prompts_and_of_versions(genai, prompt):
    genai.set_prompt_tag(prompt, "team", "a")
    assert genai.get_prompt_tags(prompt)["team"] == "a"
    genai.delete_prompt_tag(prompt, "team")
    assert "team" not in genai.get_prompt_tags(prompt)
    genai.set_prompt_version_tag(prompt, 1, "checked", "yes")
    assert genai.load_prompt(prompt, version=1, cache_ttl_seconds=0).tags == {"lang": "en", "checked": "yes"}
    genai.delete_prompt_version_tag(prompt, 1, "checked")
    assert genai.load_prompt(prompt, version=1, cache_ttl_seconds=0).tags == {"lang": "en"}


def test_search(genai, client, prompt, unique):
    names = lambda found: [prompt.name for prompt in found]
    assert names(genai.search_prompts(filter_string=f"name = '{prompt}'")) == [prompt]
    assert names(genai.search_prompts(filter_string=f"name LIKE '{prompt[:-2]}%'")) == [prompt]
    genai.set_prompt_tag(prompt, "mark", unique())
    mark = genai.get_prompt_tags(prompt)["mark"]
    assert names(genai.search_prompts(filter_string=f"tags.mark = '{mark}'")) == [prompt]
    assert client.search_registered_models(filter_string=f"name = '{prompt}'") == []
    assert len(client.search_prompt_versions(prompt)) == 2 if hasattr(client, "search_prompt_versions") else True


def test_chat_prompts_and_response_formats(genai, unique):
    from pydantic import BaseModel

    class Answer(BaseModel):
        text: str
        score: float

    name = unique("chat")
    template = [{"role": "system", "content": "You are {{style}}."}, {"role": "user", "content": "{{question}}"}]
    genai.register_prompt(name=name, template=template, response_format=Answer)
    loaded = genai.load_prompt(name, version=1)
    assert loaded.template == template and not loaded.is_text_prompt
    assert loaded.format(style="terse", question="Why?")[1] == {"role": "user", "content": "Why?"}
    assert set(loaded.response_format["properties"]) == {"text", "score"}


def test_deleting_a_version_and_a_prompt(genai, client, prompt):
    client.delete_prompt_version(prompt, "1")
    assert genai.load_prompt(prompt, version=1, allow_missing=True, cache_ttl_seconds=0) is None
    client.delete_prompt_version(prompt, "2")
    client.delete_prompt(prompt)
    assert genai.search_prompts(filter_string=f"name = '{prompt}'") == []


def test_a_model_is_no_prompt(genai, client, model, prompt):
    with pytest.raises(mlflow.MlflowException):
        genai.register_prompt(name=model, template="Hi")
    with pytest.raises(mlflow.MlflowException):
        client.create_registered_model(prompt)


def test_a_prompt_is_linked_to_a_run(genai, client, prompt, experiment):
    mlflow.set_experiment(experiment_id=experiment)
    with mlflow.start_run() as run:
        genai.load_prompt(prompt, version=1, cache_ttl_seconds=0)
    tags = client.get_run(run.info.run_id).data.tags
    assert prompt in tags.get("mlflow.linkedPrompts", "")
