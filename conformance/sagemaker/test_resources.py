"""Deployable models, model cards, artifacts, actions, contexts, and the lineage between them."""

import json

import pytest
from conftest import arn, refused

ROLE = "arn:aws:iam::123456789012:role/service"


def test_models(sm, name):
    container = {"Image": "image", "ModelDataUrl": "s3://bucket/model.tar.gz", "Environment": {"A": "b"}}
    made = sm.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
    assert made["ModelArn"] == arn("model", name)
    found = sm.describe_model(ModelName=name)
    assert found["PrimaryContainer"] == container and found["ExecutionRoleArn"] == ROLE
    assert found["EnableNetworkIsolation"] is False
    with refused("ValidationException", "Cannot create already existing model"):
        sm.create_model(ModelName=name)
    assert [one["ModelName"] for one in sm.list_models(NameContains=name)["Models"]] == [name]
    sm.delete_model(ModelName=name)
    for gone in (sm.describe_model, sm.delete_model):
        with refused("ValidationException", "Could not find model"):
            gone(ModelName=name)


def test_model_cards_keep_every_content(sm, name):
    contents = [json.dumps({"model_overview": {"model_description": text}}) for text in ("one", "two")]
    made = sm.create_model_card(ModelCardName=name, Content=contents[0], ModelCardStatus="Draft")
    assert made["ModelCardArn"] == arn("model-card", name)
    with refused("ConflictException", f"Modelcard {name} already exists"):
        sm.create_model_card(ModelCardName=name, Content=contents[0], ModelCardStatus="Draft")
    sm.update_model_card(ModelCardName=name, ModelCardStatus="PendingReview")
    assert sm.describe_model_card(ModelCardName=name)["ModelCardVersion"] == 1, "a status is no new version"
    sm.update_model_card(ModelCardName=name, Content=contents[1], ModelCardStatus="Approved")
    found = sm.describe_model_card(ModelCardName=made["ModelCardArn"])
    assert (found["ModelCardVersion"], found["Content"], found["ModelCardStatus"]) == (2, contents[1], "Approved")
    former = sm.describe_model_card(ModelCardName=name, ModelCardVersion=1)
    assert (former["Content"], former["ModelCardStatus"]) == (contents[0], "PendingReview")
    with refused("ResourceNotFound", "version: 3 does not exist"):
        sm.describe_model_card(ModelCardName=name, ModelCardVersion=3)
    versions = sm.list_model_card_versions(ModelCardName=name)["ModelCardVersionSummaryList"]
    assert [one["ModelCardVersion"] for one in versions] == [1, 2]
    approved = sm.list_model_card_versions(ModelCardName=name, ModelCardStatus="Approved")
    assert [one["ModelCardVersion"] for one in approved["ModelCardVersionSummaryList"]] == [2]
    listed = sm.list_model_cards(NameContains=name, ModelCardStatus="Approved")["ModelCardSummaries"]
    assert [one["ModelCardName"] for one in listed] == [name]
    sm.delete_model_card(ModelCardName=name)
    with refused("ResourceNotFound", "does not exist"):
        sm.describe_model_card(ModelCardName=name)


@pytest.mark.parametrize("kind", ["action", "context"])
def test_actions_and_contexts(sm, name, kind):
    title = kind.capitalize()
    call = lambda verb: getattr(sm, f"{verb}_{kind}")  # noqa: E731
    extra = {"Status": "InProgress"} if kind == "action" else {}
    made = call("create")(
        **{f"{title}Name": name, f"{title}Type": "Deploy", "Source": {"SourceUri": f"s3://{name}"}},
        Properties={"keep": "1", "drop": "2"},
        **extra,
    )
    assert made[f"{title}Arn"] == arn(kind, name)
    with refused("ValidationException", "already exists"):
        call("create")(**{f"{title}Name": name, f"{title}Type": "Deploy", "Source": {"SourceUri": "s3://x"}})
    call("update")(
        **{f"{title}Name": name}, Description="d", Properties={"new": "3"}, PropertiesToRemove=["drop"]
    )
    found = call("describe")(**{f"{title}Name": name})
    assert found["Properties"] == {"keep": "1", "new": "3"} and found["Description"] == "d"
    listed = getattr(sm, f"list_{kind}s")(SourceUri=f"s3://{name}", **{f"{title}Type": "Deploy"})
    assert [one[f"{title}Name"] for one in listed[f"{title}Summaries"]] == [name]
    call("delete")(**{f"{title}Name": name})
    with refused("ResourceNotFound", "does not exist"):
        call("describe")(**{f"{title}Name": name})


def test_artifacts(sm, name):
    source = {"SourceUri": f"s3://bucket/{name}", "SourceTypes": [{"SourceIdType": "MD5Hash", "Value": "00"}]}
    made = sm.create_artifact(ArtifactName=name, ArtifactType="DataSet", Source=source, Properties={"a": "1"})
    identity = made["ArtifactArn"].rsplit("/", 1)[1]
    assert made["ArtifactArn"] == arn("artifact", identity) and len(identity) == 32
    with refused("ValidationException", "already exists"):
        sm.create_artifact(ArtifactType="DataSet", Source=source)
    found = sm.describe_artifact(ArtifactArn=made["ArtifactArn"])
    assert (found["ArtifactName"], found["Source"], found["Properties"]) == (name, source, {"a": "1"})
    sm.update_artifact(ArtifactArn=made["ArtifactArn"], ArtifactName=f"{name}-2")
    listed = sm.list_artifacts(SourceUri=source["SourceUri"], ArtifactType="DataSet")["ArtifactSummaries"]
    assert [one["ArtifactName"] for one in listed] == [f"{name}-2"]
    sm.delete_artifact(Source=source)
    with refused("ResourceNotFound", "does not exist"):
        sm.describe_artifact(ArtifactArn=made["ArtifactArn"])


@pytest.fixture
def chain(sm, name):
    """data -> component -> model -> context"""
    data = sm.create_artifact(ArtifactName=f"{name}-d", ArtifactType="DataSet", Source={"SourceUri": f"s3://d/{name}"})
    sm.create_trial_component(TrialComponentName=f"{name}-c")
    model = sm.create_artifact(
        ArtifactName=f"{name}-m", ArtifactType="Model", Source={"SourceUri": f"s3://m/{name}"}, Properties={"p": "1"}
    )
    sm.create_context(ContextName=f"{name}-x", ContextType="Endpoint", Source={"SourceUri": f"s3://x/{name}"})
    arns = [
        data["ArtifactArn"],
        arn("experiment-trial-component", f"{name}-c"),
        model["ArtifactArn"],
        arn("context", f"{name}-x"),
    ]
    for source, target, kind in zip(arns, arns[1:], ["ContributedTo", "Produced", "ContributedTo"]):
        sm.add_association(SourceArn=source, DestinationArn=target, AssociationType=kind)
    return arns


def test_associations(sm, chain):
    data, component, model, context = chain
    with refused("ValidationException", "already exists"):
        sm.add_association(SourceArn=data, DestinationArn=component)
    with refused("ResourceNotFound", "does not exist"):
        sm.add_association(SourceArn=data, DestinationArn=arn("context", "nowhere"))
    (edge,) = sm.list_associations(SourceArn=component)["AssociationSummaries"]
    assert (edge["DestinationArn"], edge["AssociationType"], edge["DestinationType"]) == (model, "Produced", "Model")
    assert sm.list_associations(SourceArn=component, AssociationType="SameAs")["AssociationSummaries"] == []
    with refused("ValidationException", "associated"):
        sm.delete_trial_component(TrialComponentName=component.rsplit("/", 1)[1])
    with refused("ValidationException", "associations"):
        sm.delete_context(ContextName=context.rsplit("/", 1)[1])
    sm.delete_association(SourceArn=model, DestinationArn=context)
    with refused("ResourceNotFound", "does not exist"):
        sm.delete_association(SourceArn=model, DestinationArn=context)
    sm.delete_context(ContextName=context.rsplit("/", 1)[1])


def test_lineage_is_walked(sm, chain):
    data, component, model, context = chain

    def walked(start, **request):
        answer = sm.query_lineage(StartArns=[start], **request)
        return [one["Arn"] for one in answer["Vertices"]], answer

    assert walked(data, Direction="Descendants")[0] == [component, model, context]
    assert walked(context, Direction="Ascendants")[0] == [model, component, data]
    assert walked(data, Direction="Ascendants")[0] == []
    assert walked(data, Direction="Descendants", MaxDepth=1)[0] == [component]
    vertices, answer = walked(component, Direction="Both", IncludeEdges=True)
    assert set(vertices) == {data, model, context}
    assert {(edge["SourceArn"], edge["DestinationArn"]) for edge in answer["Edges"]} == set(zip(chain, chain[1:]))
    assert walked(data, Direction="Descendants", Filters={"LineageTypes": ["Artifact"]})[0] == [model]
    assert walked(data, Direction="Descendants", Filters={"Types": ["Endpoint"]})[0] == [context]
    assert walked(data, Direction="Descendants", Filters={"Properties": {"p": "1"}})[0] == [model]
    first = sm.query_lineage(StartArns=[data], Direction="Descendants", MaxResults=2)
    rest = sm.query_lineage(StartArns=[data], Direction="Descendants", NextToken=first["NextToken"])
    assert [one["Arn"] for one in first["Vertices"] + rest["Vertices"]] == [component, model, context]


def test_a_circle_ends(sm, chain):
    sm.add_association(SourceArn=chain[3], DestinationArn=chain[0], AssociationType="DerivedFrom")
    vertices = sm.query_lineage(StartArns=[chain[0]], Direction="Descendants")["Vertices"]
    assert [one["Arn"] for one in vertices] == chain[1:]


def test_the_lineage_group_that_every_account_has(sm, name):
    (group,) = sm.list_lineage_groups()["LineageGroupSummaries"]
    assert group["LineageGroupArn"] == arn("lineage-group", "sagemaker-default-lineage-group")
    assert sm.list_lineage_groups(CreatedBefore=group["CreationTime"])["LineageGroupSummaries"] == []
    described = sm.describe_lineage_group(LineageGroupName=group["LineageGroupName"])
    assert described["CreationTime"] == group["CreationTime"]
    with refused("ResourceNotFound", "resource policy"):
        sm.get_lineage_group_policy(LineageGroupName=group["LineageGroupName"])
    with refused("ResourceNotFound", "does not exist"):
        sm.describe_lineage_group(LineageGroupName=name)
    sm.create_context(ContextName=name, ContextType="Endpoint", Source={"SourceUri": "s3://x"})
    assert sm.describe_context(ContextName=name)["LineageGroupArn"] == group["LineageGroupArn"]


def test_cards_are_listed_from_the_oldest_on(sm, name):
    for index in range(3):
        sm.create_model_card(ModelCardName=f"{name}-{index}", Content="{}", ModelCardStatus="Draft")

    def listed(**request):
        return [one["ModelCardName"][-1] for one in sm.list_model_cards(NameContains=name, **request)["ModelCardSummaries"]]

    assert listed() == ["0", "1", "2"]
    assert listed(SortOrder="Descending") == ["2", "1", "0"]
