"""`sagemaker.lineage`: entities, associations and queries over them."""

import pytest
from botocore.exceptions import ClientError
from sagemaker.lineage.action import Action
from sagemaker.lineage.artifact import Artifact
from sagemaker.lineage.association import Association
from sagemaker.lineage.context import Context
from sagemaker.lineage.query import LineageEntityEnum, LineageFilter, LineageQuery, LineageQueryDirectionEnum


def test_an_artifact_is_made_loaded_changed_listed_and_deleted(session, name):
    uri = f"s3://{name}/data.csv"
    made = Artifact.create(
        artifact_name=name, source_uri=uri, artifact_type="DataSet", properties={"rows": "10"}, sagemaker_session=session
    )
    found = Artifact.load(artifact_arn=made.artifact_arn, sagemaker_session=session)
    assert (found.artifact_name, found.source.source_uri, found.properties) == (name, uri, {"rows": "10"})
    found.properties = {"rows": "11"}
    found.save()
    assert Artifact.load(artifact_arn=made.artifact_arn, sagemaker_session=session).properties == {"rows": "11"}
    found.set_tag({"Key": "team", "Value": "fraud"})
    assert session.sagemaker_client.list_tags(ResourceArn=made.artifact_arn)["Tags"] == [
        {"Key": "team", "Value": "fraud"}
    ]
    assert [one.artifact_arn for one in Artifact.list(source_uri=uri, sagemaker_session=session)] == [made.artifact_arn]
    found.delete()
    with pytest.raises(ClientError, match="ResourceNotFound"):
        Artifact.load(artifact_arn=made.artifact_arn, sagemaker_session=session)


@pytest.fixture
def chain(session, name):
    """A data set that a training read, the model that it made, and the context that they are in."""
    data = Artifact.create(source_uri=f"s3://{name}/data", artifact_type="DataSet", sagemaker_session=session)
    model = Artifact.create(source_uri=f"s3://{name}/model", artifact_type="Model", sagemaker_session=session)
    training = Action.create(
        action_name=f"{name}-training", source_uri=f"job/{name}", action_type="Training", status="Completed",
        sagemaker_session=session,
    )
    context = Context.create(
        context_name=f"{name}-context", source_uri=f"endpoint/{name}", context_type="Endpoint",
        sagemaker_session=session,
    )
    for source, destination, kind in (
        (data.artifact_arn, training.action_arn, "ContributedTo"),
        (training.action_arn, model.artifact_arn, "Produced"),
        (model.artifact_arn, context.context_arn, "AssociatedWith"),
    ):
        Association.create(
            source_arn=source, destination_arn=destination, association_type=kind, sagemaker_session=session
        )
    return data, training, model, context


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


def test_associations_are_listed_by_their_ends_and_go_with_what_is_deleted(session, chain):
    data, training, _, _ = chain
    (one,) = Association.list(source_arn=data.artifact_arn, sagemaker_session=session)
    assert (one.destination_arn, one.association_type) == (training.action_arn, "ContributedTo")
    Artifact.load(artifact_arn=data.artifact_arn, sagemaker_session=session).delete(disassociate=True)
    assert list(Association.list(destination_arn=training.action_arn, sagemaker_session=session)) == []


def test_a_context_and_an_action_are_changed(session, chain):
    _, training, _, context = chain
    action = Action.load(action_name=training.action_name, sagemaker_session=session)
    action.status = "Failed"
    action.save()
    assert Action.load(action_name=training.action_name, sagemaker_session=session).status == "Failed"
    found = Context.load(context_name=context.context_name, sagemaker_session=session)
    found.description = "where it is served"
    found.save()
    again = Context.load(context_name=context.context_name, sagemaker_session=session)
    assert again.description == "where it is served"
