"""Lineage: entities and associations as resources, and queries over them."""

import pytest
from botocore.exceptions import ClientError
from sagemaker.core.lineage.query import LineageEntityEnum, LineageFilter, LineageQuery, LineageQueryDirectionEnum
from sagemaker.core.resources import Action, Artifact, Association, Context, LineageGroup
from sagemaker.core.shapes import ActionSource, ArtifactSource, ContextSource


@pytest.fixture
def chain(name):
    """A data set that a training read, the model that it made, and the context that they are in."""
    data = Artifact.create(source=ArtifactSource(source_uri=f"s3://{name}/data"), artifact_type="DataSet")
    model = Artifact.create(source=ArtifactSource(source_uri=f"s3://{name}/model"), artifact_type="Model")
    training = Action.create(
        action_name=f"{name}-training",
        source=ActionSource(source_uri=f"job/{name}"),
        action_type="Training",
        status="Completed",
    )
    context = Context.create(
        context_name=f"{name}-context", source=ContextSource(source_uri=f"endpoint/{name}"), context_type="Endpoint"
    )
    for source, destination, kind in (
        (data.artifact_arn, training.action_arn, "ContributedTo"),
        (training.action_arn, model.artifact_arn, "Produced"),
        (model.artifact_arn, context.context_arn, "AssociatedWith"),
    ):
        Association.add(source_arn=source, destination_arn=destination, association_type=kind)
    return data, training, model, context


def test_an_artifact_is_made_found_changed_listed_and_deleted(name):
    uri = f"s3://{name}/data.csv"
    made = Artifact.create(
        artifact_name=name, source=ArtifactSource(source_uri=uri), artifact_type="DataSet", properties={"rows": "10"}
    )
    found = Artifact.get(made.artifact_arn)
    assert (found.artifact_name, found.source.source_uri, found.properties) == (name, uri, {"rows": "10"})
    found.update(properties={"rows": "11"}, properties_to_remove=[])
    assert Artifact.get(made.artifact_arn).properties == {"rows": "11"}
    assert [one.artifact_arn for one in Artifact.get_all(source_uri=uri)] == [made.artifact_arn]
    found.delete()
    with pytest.raises(ClientError, match="ResourceNotFound"):
        Artifact.get(made.artifact_arn)


def test_a_query_walks_up_and_down_the_lineage(session, chain):
    data, training, model, context = chain
    query = LineageQuery(session)
    found = query.query(
        start_arns=[model.artifact_arn],
        query_filter=LineageFilter(entities=[LineageEntityEnum.ARTIFACT]),
        direction=LineageQueryDirectionEnum.ASCENDANTS,
        include_edges=False,
    )
    assert [vertex.arn for vertex in found.vertices] == [data.artifact_arn]
    assert found.vertices[0].to_lineage_object().source.source_uri == data.source.source_uri
    down = query.query(start_arns=[data.artifact_arn], direction=LineageQueryDirectionEnum.DESCENDANTS)
    assert {edge.association_type for edge in down.edges} == {"ContributedTo", "Produced", "AssociatedWith"}
    assert {vertex.arn for vertex in down.vertices} >= {training.action_arn, model.artifact_arn, context.context_arn}


def test_associations_are_listed_by_their_ends_and_deleted(chain):
    data, training, _, _ = chain
    (one,) = Association.get_all(source_arn=data.artifact_arn)
    assert (one.destination_arn, one.association_type) == (training.action_arn, "ContributedTo")
    one.delete()
    assert list(Association.get_all(destination_arn=training.action_arn)) == []


def test_a_context_and_an_action_are_changed(chain):
    _, training, _, context = chain
    training.update(status="Failed")
    assert Action.get(training.action_name).status == "Failed"
    context.update(description="where it is served")
    assert Context.get(context.context_name).description == "where it is served"


def test_the_lineage_group_of_the_account():
    assert LineageGroup.get("sagemaker-default-lineage-group").lineage_group_arn.startswith("arn:aws:sagemaker:")
