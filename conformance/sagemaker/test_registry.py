"""Model package groups and model packages."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from conftest import arn, client_of, refused

SPECIFICATION = {
    "Containers": [{"Image": "registry/image:1", "ModelDataUrl": "s3://bucket/model.tar.gz"}],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}


def test_a_group_is_made_described_and_deleted(sm, name):
    made = sm.create_model_package_group(
        ModelPackageGroupName=name, ModelPackageGroupDescription="what it is", Tags=[{"Key": "team", "Value": "fraud"}]
    )
    assert made["ModelPackageGroupArn"] == arn("model-package-group", name)
    assert made["ResponseMetadata"]["RequestId"]
    for spelled in (name, made["ModelPackageGroupArn"]):
        found = sm.describe_model_package_group(ModelPackageGroupName=spelled)
        assert found["ModelPackageGroupName"] == name
        assert found["ModelPackageGroupDescription"] == "what it is"
        assert found["ModelPackageGroupStatus"] == "Completed"
        assert found["CreationTime"].year >= 2025
    assert sm.list_tags(ResourceArn=made["ModelPackageGroupArn"])["Tags"] == [{"Key": "team", "Value": "fraud"}]
    with refused("ValidationException", "already exists"):
        sm.create_model_package_group(ModelPackageGroupName=name)
    sm.delete_model_package_group(ModelPackageGroupName=name)
    with refused("ValidationException", "does not exist"):
        sm.describe_model_package_group(ModelPackageGroupName=name)


def test_the_region_of_an_arn_is_that_of_the_client(server, group):
    other = client_of("sagemaker", server, region="us-west-2")
    found = other.describe_model_package_group(ModelPackageGroupName=group)
    assert found["ModelPackageGroupArn"] == arn("model-package-group", group, region="us-west-2")


def test_a_group_with_packages_stays(sm, group):
    sm.create_model_package(ModelPackageGroupName=group)
    with refused("ConflictException", group):
        sm.delete_model_package_group(ModelPackageGroupName=group)


def test_groups_are_listed_in_pages(sm, name):
    names = [f"{name}-{letter}" for letter in "abcde"]
    for one in names:
        sm.create_model_package_group(ModelPackageGroupName=one)
    listed, token = [], {}
    while True:
        page = sm.list_model_package_groups(
            NameContains=name.upper(), SortBy="Name", SortOrder="Ascending", MaxResults=2, **token
        )
        assert len(page["ModelPackageGroupSummaryList"]) <= 2
        listed += [one["ModelPackageGroupName"] for one in page["ModelPackageGroupSummaryList"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert listed == names
    backwards = sm.list_model_package_groups(NameContains=name, SortOrder="Descending", SortBy="CreationTime")
    assert [one["ModelPackageGroupName"] for one in backwards["ModelPackageGroupSummaryList"]] == names[::-1]
    with refused("ValidationException", "NextToken"):
        sm.list_model_package_groups(NameContains=name, NextToken="nonsense")
    with refused("ValidationException", "NextToken"):
        sm.list_model_package_groups(NameContains="other", **token)
    paginator = sm.get_paginator("list_model_package_groups")
    pages = paginator.paginate(NameContains=name, PaginationConfig={"PageSize": 2})
    assert sum(len(page["ModelPackageGroupSummaryList"]) for page in pages) == 5


def test_policies_come_and_go(sm, group):
    with refused("ValidationException", "policy"):
        sm.get_model_package_group_policy(ModelPackageGroupName=group)
    policy = '{"Version": "2012-10-17", "Statement": []}'
    sm.put_model_package_group_policy(ModelPackageGroupName=group, ResourcePolicy=policy)
    assert sm.get_model_package_group_policy(ModelPackageGroupName=group)["ResourcePolicy"] == policy
    sm.delete_model_package_group_policy(ModelPackageGroupName=group)
    with refused("ValidationException", "policy"):
        sm.get_model_package_group_policy(ModelPackageGroupName=group)


def test_versions_count_up_and_wait_for_approval(sm, group):
    first = sm.create_model_package(ModelPackageGroupName=group, InferenceSpecification=SPECIFICATION)
    second = sm.create_model_package(
        ModelPackageGroupName=arn("model-package-group", group),
        ModelPackageDescription="the second",
        MetadataProperties={"CommitId": "abc"},
        ModelMetrics={"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://b/s.json"}}},
        Domain="COMPUTER_VISION",
        CustomerMetadataProperties={"a": "1", "b": "2"},
        ModelCard={"ModelCardContent": '{"x": 1}', "ModelCardStatus": "Draft"},
    )
    assert first["ModelPackageArn"] == arn("model-package", f"{group}/1")
    found = sm.describe_model_package(ModelPackageName=first["ModelPackageArn"])
    assert "ModelPackageName" not in found
    assert found["ModelPackageVersion"] == 1
    assert found["ModelApprovalStatus"] == "PendingManualApproval"
    assert found["ModelPackageStatus"] == "Completed"
    assert found["ModelPackageStatusDetails"]["ValidationStatuses"][0]["Status"] == "Completed"
    assert found["InferenceSpecification"] == SPECIFICATION
    assert found["CertifyForMarketplace"] is False
    assert "LastModifiedTime" not in found
    found = sm.describe_model_package(ModelPackageName=second["ModelPackageArn"])
    assert found["ModelPackageDescription"] == "the second"
    assert found["MetadataProperties"] == {"CommitId": "abc"}
    assert found["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"] == "s3://b/s.json"
    assert found["CustomerMetadataProperties"] == {"a": "1", "b": "2"}
    assert found["ModelCard"]["ModelCardContent"] == '{"x": 1}'
    brief = sm.describe_model_package(ModelPackageName=second["ModelPackageArn"], IncludedData="MetadataOnly")
    assert brief["ModelCard"] == {"ModelCardContent": "", "ModelCardStatus": "Draft"}
    sm.delete_model_package(ModelPackageName=second["ModelPackageArn"])
    with refused("ValidationException", "does not exist"):
        sm.describe_model_package(ModelPackageName=second["ModelPackageArn"])
    third = sm.create_model_package(ModelPackageGroupName=group)
    assert third["ModelPackageArn"].endswith("/3"), "a number is never used again"


def test_an_update_decides_and_merges(sm, group):
    package = sm.create_model_package(
        ModelPackageGroupName=group, CustomerMetadataProperties={"keep": "1", "drop": "2"}
    )["ModelPackageArn"]
    additional = {"Name": "other", "Containers": [{"Image": "image"}]}
    answer = sm.update_model_package(
        ModelPackageArn=package,
        ModelApprovalStatus="Approved",
        ApprovalDescription="looks right",
        CustomerMetadataProperties={"new": "3"},
        CustomerMetadataPropertiesToRemove=["drop"],
        AdditionalInferenceSpecificationsToAdd=[additional],
        ModelLifeCycle={"Stage": "Staging", "StageStatus": "Tested"},
    )
    assert answer["ModelPackageArn"] == package
    found = sm.describe_model_package(ModelPackageName=package)
    assert found["ModelApprovalStatus"] == "Approved"
    assert found["ApprovalDescription"] == "looks right"
    assert found["CustomerMetadataProperties"] == {"keep": "1", "new": "3", "stele.aliases": "staging"}
    assert found["AdditionalInferenceSpecifications"] == [additional]
    assert found["ModelLifeCycle"] == {"Stage": "Staging", "StageStatus": "Tested"}
    assert found["LastModifiedTime"] >= found["CreationTime"]
    sm.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Rejected")
    found = sm.describe_model_package(ModelPackageName=package)
    assert (found["ModelApprovalStatus"], found["ApprovalDescription"]) == ("Rejected", "looks right")
    with refused("ValidationException", "stele.aliases"):
        sm.update_model_package(ModelPackageArn=package, CustomerMetadataProperties={"stele.aliases": "x"})


def test_one_version_is_in_production(sm, group):
    packages = [
        sm.create_model_package(
            ModelPackageGroupName=group, ModelLifeCycle={"Stage": "Production", "StageStatus": "Live"}
        )["ModelPackageArn"]
        for _ in range(2)
    ]
    stages = [sm.describe_model_package(ModelPackageName=one)["ModelLifeCycle"]["Stage"] for one in packages]
    assert stages == ["Archived", "Production"]
    sm.update_model_package(
        ModelPackageArn=packages[1], ModelLifeCycle={"Stage": "MyOwnWord", "StageStatus": "Started"}
    )
    life = sm.describe_model_package(ModelPackageName=packages[1])["ModelLifeCycle"]
    assert life == {"Stage": "MyOwnWord", "StageStatus": "Started"}


def test_the_same_request_again_makes_one_version(sm, group):
    request = {"ModelPackageGroupName": group, "ModelPackageDescription": "d", "ClientToken": f"token-{group}"}
    first = sm.create_model_package(**request)["ModelPackageArn"]
    assert sm.create_model_package(**request)["ModelPackageArn"] == first
    with refused("ConflictException", "token"):
        sm.create_model_package(**{**request, "ModelPackageDescription": "other"})
    assert len(sm.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]) == 1


def test_the_same_request_again_makes_one_package_without_a_group(sm, name):
    request = {"ModelPackageName": name, "ModelPackageDescription": "d", "ClientToken": f"token-{name}"}
    first = sm.create_model_package(**request)["ModelPackageArn"]
    assert sm.create_model_package(**request)["ModelPackageArn"] == first == arn("model-package", name)
    with refused("ConflictException", "token"):
        sm.create_model_package(**{**request, "ModelPackageDescription": "other"})
    with refused("ValidationException", "already exists"):
        sm.create_model_package(**{**request, "ClientToken": f"other-{name}"})
    assert sm.describe_model_package(ModelPackageName=name)["ModelPackageDescription"] == "d"


def test_packages_made_at_once_have_different_numbers(server, sm, group):
    def make(_):
        return client_of("sagemaker", server).create_model_package(ModelPackageGroupName=group)["ModelPackageArn"]

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(make, range(16)))
    assert sorted(int(one.rsplit("/", 1)[1]) for one in made) == list(range(1, 17))


def test_groups_made_at_once_are_one(server, name):
    def make(_):
        try:
            client_of("sagemaker", server).create_model_package_group(ModelPackageGroupName=name)
            return "made"
        except ClientError as error:
            return error.response["Error"]["Code"]

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(make, range(8)))
    assert sorted(outcomes) == ["ValidationException"] * 7 + ["made"]


def test_packages_are_filtered_and_sorted(sm, group):
    for status in ("Approved", "Rejected", "Approved"):
        sm.create_model_package(ModelPackageGroupName=group, ModelApprovalStatus=status)
    newest = sm.list_model_packages(
        ModelPackageGroupName=group,
        ModelApprovalStatus="Approved",
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=1,
    )
    assert [one["ModelPackageVersion"] for one in newest["ModelPackageSummaryList"]] == [3]
    assert newest["ModelPackageSummaryList"][0]["ModelApprovalStatus"] == "Approved"
    rest = sm.list_model_packages(
        ModelPackageGroupName=group,
        ModelApprovalStatus="Approved",
        SortBy="CreationTime",
        SortOrder="Descending",
        NextToken=newest["NextToken"],
    )
    assert [one["ModelPackageVersion"] for one in rest["ModelPackageSummaryList"]] == [1]
    assert "NextToken" not in rest


def test_packages_without_a_group(sm, name):
    made = sm.create_model_package(
        ModelPackageName=name, InferenceSpecification=SPECIFICATION, Tags=[{"Key": "k", "Value": "v"}]
    )
    assert made["ModelPackageArn"] == arn("model-package", name)
    with refused("ValidationException", "ModelPackage already exists"):
        sm.create_model_package(ModelPackageName=name)
    found = sm.describe_model_package(ModelPackageName=name)
    assert found["ModelPackageName"] == name and "ModelPackageGroupName" not in found
    sm.update_model_package(ModelPackageArn=made["ModelPackageArn"], ModelApprovalStatus="Approved")
    assert sm.describe_model_package(ModelPackageName=name)["ModelApprovalStatus"] == "Approved"
    listed = sm.list_model_packages(NameContains=name)["ModelPackageSummaryList"]
    assert [one["ModelPackageName"] for one in listed] == [name]
    assert sm.list_tags(ResourceArn=made["ModelPackageArn"])["Tags"] == [{"Key": "k", "Value": "v"}]
    sm.create_model_package_group(ModelPackageGroupName=f"{name}-g")
    sm.create_model_package(ModelPackageGroupName=f"{name}-g")
    both = sm.list_model_packages(NameContains=name, ModelPackageType="Both")["ModelPackageSummaryList"]
    assert {one["ModelPackageArn"] for one in both} == {made["ModelPackageArn"], arn("model-package", f"{name}-g/1")}
    versioned = sm.list_model_packages(NameContains=name, ModelPackageType="Versioned")["ModelPackageSummaryList"]
    assert [one["ModelPackageGroupName"] for one in versioned] == [f"{name}-g"]
    sm.delete_model_package(ModelPackageName=name)
    with refused("ValidationException", "does not exist"):
        sm.describe_model_package(ModelPackageName=name)


def test_packages_in_a_batch(sm, group):
    package = sm.create_model_package(ModelPackageGroupName=group, InferenceSpecification=SPECIFICATION)
    missing = arn("model-package", f"{group}/99")
    answer = sm.batch_describe_model_package(ModelPackageArnList=[package["ModelPackageArn"], missing])
    summary = answer["ModelPackageSummaries"][package["ModelPackageArn"]]
    assert summary["ModelPackageVersion"] == 1 and summary["InferenceSpecification"] == SPECIFICATION
    assert set(answer["BatchDescribeModelPackageErrorMap"]) == {missing}


def test_what_is_refused(sm, name):
    with refused("ValidationException", "does not exist"):
        sm.create_model_package(ModelPackageGroupName=name)
    with refused("ValidationException", "Both"):
        sm.create_model_package(ModelPackageGroupName=name, ModelPackageName=name)
    with refused("ValidationException"):
        sm.create_model_package()
    with refused("ValidationException", "1 validation error detected: Value 'a_b' at 'modelPackageGroupName'"):
        sm.create_model_package_group(ModelPackageGroupName="a_b")
    with refused("ValidationException", "Member must satisfy enum value set: [Approved, Rejected"):
        sm.update_model_package(ModelPackageArn=arn("model-package", f"{name}/1"), ModelApprovalStatus="Maybe")
    with refused("ValidationException", "outside of the run"):
        sm.create_model_package_group(ModelPackageGroupName=name)
        sm.create_model_package(ModelPackageGroupName=name, SourceUri="file:///etc/passwd")


@pytest.mark.parametrize("count", [1, 50])
def test_tags_of_a_package_and_of_its_group(sm, group, count):
    package = sm.create_model_package(ModelPackageGroupName=group)["ModelPackageArn"]
    tags = [{"Key": f"key-{index:02}", "Value": f"value {index}"} for index in range(count)]
    for one in (package, arn("model-package-group", group)):
        assert sm.add_tags(ResourceArn=one, Tags=tags)["Tags"] == tags
        assert sm.list_tags(ResourceArn=one)["Tags"] == tags
        sm.delete_tags(ResourceArn=one, TagKeys=["key-00", "not there"])
        assert sm.list_tags(ResourceArn=one)["Tags"] == tags[1:]
    with refused("ValidationException", "does not exist"):
        sm.list_tags(ResourceArn=arn("model-package", f"{group}/9"))
    with refused("ValidationException", "reserved"):
        sm.add_tags(ResourceArn=package, Tags=[{"Key": "stele.approval", "Value": "approved"}])
