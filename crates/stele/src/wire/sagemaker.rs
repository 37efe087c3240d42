//! Requests to SageMaker's operations.

use axum::http::Request;
use stele_domain::authz::Action::*;

use super::cases::Needs::*;
use super::cases::{Case, With, cases};

#[rustfmt::skip]
pub(super) static CASES: &[Case] = cases! { Sagemaker;
    "CreateModelPackageGroup" => Verb(RegisterModel), r#"{"ModelPackageGroupName":"$new"}"#;
    "DescribeModelPackageGroup" => Sight, r#"{"ModelPackageGroupName":"veiled-pkg"}"#;
    "ListModelPackageGroups" => Sight, "{}";
    "PutModelPackageGroupPolicy" => Verb(RegisterModel), r#"{"ModelPackageGroupName":"veiled-pkg","ResourcePolicy":"{\"Statement\":[]}"}"#;
    "GetModelPackageGroupPolicy" => Sight, r#"{"ModelPackageGroupName":"veiled-pkg"}"#;
    "DeleteModelPackageGroupPolicy" => Verb(RegisterModel), r#"{"ModelPackageGroupName":"veiled-pkg"}"#;
    "DeleteModelPackageGroup" => Verb(RegisterModel), r#"{"ModelPackageGroupName":"veiled-empty-pkg"}"#;
    "CreateModelPackage" => Verb(RegisterModel), r#"{"ModelPackageGroupName":"veiled-pkg"}"#;
    "DescribeModelPackage" => Sight, r#"{"ModelPackageName":"$package"}"#;
    "UpdateModelPackage" => Verb(ApproveModel), r#"{"ModelPackageArn":"$package","ModelApprovalStatus":"Approved","ApprovalDescription":"good"}"#;
    "UpdateModelPackage" => Verb(PromoteModel), r#"{"ModelPackageArn":"$package","ModelLifeCycle":{"Stage":"Staging","StageStatus":"x"}}"#;
    "UpdateModelPackage" => Verb(RegisterModel), r#"{"ModelPackageArn":"$package","CustomerMetadataProperties":{"a":"b"}}"#;
    "DeleteModelPackage" => Verb(RegisterModel), r#"{"ModelPackageName":"$spare_package"}"#;
    "ListModelPackages" => Sight, r#"{"ModelPackageGroupName":"veiled-pkg"}"#;
    "BatchDescribeModelPackage" => Sight, r#"{"ModelPackageArnList":["$package"]}"#;
    "AddTags" => Verb(RegisterModel), r#"{"ResourceArn":"$package_group","Tags":[{"Key":"a","Value":"b"}]}"#;
    "ListTags" => Sight, r#"{"ResourceArn":"$package_group"}"#;
    "DeleteTags" => Verb(RegisterModel), r#"{"ResourceArn":"$package_group","TagKeys":["a"]}"#;
    "CreateModel" => Verb(ManageResource), r#"{"ModelName":"$new","PrimaryContainer":{"Image":"i"},"ExecutionRoleArn":"arn:aws:iam::123456789012:role/r"}"#;
    "DescribeModel" => Sight, r#"{"ModelName":"veiled-sm-model"}"#;
    "ListModels" => Sight, "{}";
    "DeleteModel" => Verb(ManageResource), r#"{"ModelName":"veiled-sm-model"}"#;
    "CreateModelCard" => Verb(ManageResource), r#"{"ModelCardName":"$new","Content":"{}","ModelCardStatus":"Draft"}"#;
    "DescribeModelCard" => Sight, r#"{"ModelCardName":"veiled-card"}"#;
    "UpdateModelCard" => Verb(ManageResource), r#"{"ModelCardName":"veiled-card","ModelCardStatus":"PendingReview"}"#;
    "ListModelCards" => Sight, "{}";
    "ListModelCardVersions" => Sight, r#"{"ModelCardName":"veiled-card"}"#;
    "CreateModelCardExportJob" => Verb(ManageResource), r#"{"ModelCardName":"veiled-card","ModelCardExportJobName":"$new","OutputConfig":{"S3OutputPath":"s3://veiled-bucket/cards"}}"#;
    "DescribeModelCardExportJob" => Sight, r#"{"ModelCardExportJobArn":"$export_job"}"#;
    "ListModelCardExportJobs" => Sight, r#"{"ModelCardName":"veiled-card"}"#;
    "DeleteModelCard" => Verb(ManageResource), r#"{"ModelCardName":"veiled-card"}"#;
    "CreateExperiment" => Verb(ManageExperiment), r#"{"ExperimentName":"$new"}"#;
    "DescribeExperiment" => Sight, r#"{"ExperimentName":"veiled-sm-experiment"}"#;
    "UpdateExperiment" => Verb(ManageExperiment), r#"{"ExperimentName":"veiled-sm-experiment","Description":"other"}"#;
    "DeleteExperiment" => Verb(ManageExperiment), r#"{"ExperimentName":"veiled-sm-empty"}"#;
    "ListExperiments" => Sight, "{}";
    "CreateTrial" => Verb(ManageResource), r#"{"TrialName":"$new","ExperimentName":"veiled-sm-experiment"}"#;
    "DescribeTrial" => Sight, r#"{"TrialName":"veiled-trial"}"#;
    "UpdateTrial" => Verb(ManageResource), r#"{"TrialName":"veiled-trial","DisplayName":"other"}"#;
    "DeleteTrial" => Verb(ManageResource), r#"{"TrialName":"veiled-spare-trial"}"#;
    "ListTrials" => Sight, "{}";
    "CreateTrialComponent" => Verb(LogRun), r#"{"TrialComponentName":"$new"}"#;
    "DescribeTrialComponent" => Sight, r#"{"TrialComponentName":"veiled-component"}"#;
    "UpdateTrialComponent" => Verb(LogRun), r#"{"TrialComponentName":"veiled-component","DisplayName":"other"}"#;
    "BatchPutMetrics" => Verb(LogRun), r#"{"TrialComponentName":"veiled-component","MetricData":[{"MetricName":"m","Timestamp":1700000000,"Step":1,"Value":0.5}]}"#;
    "BatchGetMetrics" => Sight, r#"{"MetricQueries":[{"MetricName":"veiled-metric","ResourceArn":"arn:aws:sagemaker:us-east-1:123456789012:experiment-trial-component/veiled-component","MetricStat":"Last","Period":"IterationNumber","XAxisType":"IterationNumber"}]}"#;
    "AssociateTrialComponent" => Verb(LogRun), r#"{"TrialName":"veiled-trial","TrialComponentName":"veiled-component"}"#;
    "ListTrialComponents" => Sight, "{}";
    "DisassociateTrialComponent" => Verb(LogRun), r#"{"TrialName":"veiled-trial","TrialComponentName":"veiled-component"}"#;
    "DeleteTrialComponent" => Verb(LogRun), r#"{"TrialComponentName":"veiled-spare-component"}"#;
    "CreateArtifact" => Verb(ManageResource), r#"{"ArtifactType":"DataSet","Source":{"SourceUri":"s3://$new"}}"#;
    "DescribeArtifact" => Sight, r#"{"ArtifactArn":"$artifact"}"#;
    "UpdateArtifact" => Verb(ManageResource), r#"{"ArtifactArn":"$artifact","ArtifactName":"other"}"#;
    "DeleteArtifact" => Verb(ManageResource), r#"{"ArtifactArn":"$spare_artifact"}"#;
    "ListArtifacts" => Sight, "{}";
    "CreateAction" => Verb(ManageResource), r#"{"ActionName":"$new","ActionType":"t","Source":{"SourceUri":"s3://x"}}"#;
    "DescribeAction" => Sight, r#"{"ActionName":"veiled-action"}"#;
    "UpdateAction" => Verb(ManageResource), r#"{"ActionName":"veiled-action","Description":"other"}"#;
    "DeleteAction" => Verb(ManageResource), r#"{"ActionName":"veiled-spare-action"}"#;
    "ListActions" => Sight, "{}";
    "CreateContext" => Verb(ManageResource), r#"{"ContextName":"$new","ContextType":"t","Source":{"SourceUri":"s3://x"}}"#;
    "DescribeContext" => Sight, r#"{"ContextName":"veiled-context"}"#;
    "UpdateContext" => Verb(ManageResource), r#"{"ContextName":"veiled-context","Description":"other"}"#;
    "DeleteContext" => Verb(ManageResource), r#"{"ContextName":"veiled-spare-context"}"#;
    "ListContexts" => Sight, "{}";
    "ListAssociations" => Sight, "{}";
    "QueryLineage" => Sight, r#"{"StartArns":["$artifact"],"Direction":"Descendants"}"#;
    "AddAssociation" => Verb(ManageLineage), r#"{"SourceArn":"$context","DestinationArn":"$artifact","AssociationType":"DerivedFrom"}"#;
    "DeleteAssociation" => Verb(ManageLineage), r#"{"SourceArn":"$artifact","DestinationArn":"$context"}"#;
    "Search" => Sight, r#"{"Resource":"ExperimentTrialComponent"}"#;
    "GetSearchSuggestions" => Sight, r#"{"Resource":"ExperimentTrialComponent"}"#;
    // Everybody is in the same one, which nobody has given a policy.
    "DescribeLineageGroup" => Account, r#"{"LineageGroupName":"sagemaker-default-lineage-group"}"#;
    "ListLineageGroups" => Account, "{}";
    "GetLineageGroupPolicy" => Unoffered, r#"{"LineageGroupName":"sagemaker-default-lineage-group"}"#;
};

pub(super) fn request(route: &str, with: &With) -> Request<String> {
    let (method, path) = match route {
        "BatchPutMetrics" => ("PUT", "/BatchPutMetrics"),
        "BatchGetMetrics" => ("POST", "/BatchGetMetrics"),
        _ => ("POST", "/"),
    };
    let target = format!("SageMaker.{route}");
    Request::builder().method(method).uri(path).header("x-amz-target", target).body(with.body.clone()).unwrap()
}
