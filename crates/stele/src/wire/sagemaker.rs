//! Requests to SageMaker's operations.

use axum::http::Request;
use stele_domain::authz::Action::*;

use super::cases::Needs::*;
use super::cases::{Case, With, cases};

#[rustfmt::skip]
pub(super) static CASES: &[Case] = cases! { Sagemaker;
    "CreateModelPackageGroup" => Verb(RegisterModel), r#"{"ModelPackageGroupName":"$new"}"#;
    "DescribeModelPackageGroup" => Sight, in Model, r#"{"ModelPackageGroupName":"hooded-pkg"}"#;
    "ListModelPackageGroups" => Sight, in Model, "{}";
    "PutModelPackageGroupPolicy" => Verb(RegisterModel), in Model, r#"{"ModelPackageGroupName":"hooded-pkg","ResourcePolicy":"{\"Statement\":[]}"}"#;
    "GetModelPackageGroupPolicy" => Sight, in Model, r#"{"ModelPackageGroupName":"hooded-pkg"}"#;
    "DeleteModelPackageGroupPolicy" => Verb(RegisterModel), in Model, r#"{"ModelPackageGroupName":"hooded-pkg"}"#;
    "DeleteModelPackageGroup" => Verb(RegisterModel), in Model, r#"{"ModelPackageGroupName":"hooded-empty-pkg"}"#;
    "CreateModelPackage" => Verb(RegisterModel), in Model, r#"{"ModelPackageGroupName":"hooded-pkg"}"#;
    "DescribeModelPackage" => Sight, in Model, r#"{"ModelPackageName":"$package"}"#;
    "UpdateModelPackage" => Verb(ApproveModel), in Model, r#"{"ModelPackageArn":"$package","ModelApprovalStatus":"Approved","ApprovalDescription":"good"}"#;
    "UpdateModelPackage" => Verb(PromoteModel), in Model, r#"{"ModelPackageArn":"$package","ModelLifeCycle":{"Stage":"Staging","StageStatus":"x"}}"#;
    "UpdateModelPackage" => Verb(RegisterModel), in Model, r#"{"ModelPackageArn":"$package","CustomerMetadataProperties":{"a":"b"}}"#;
    "DeleteModelPackage" => Verb(RegisterModel), in Model, r#"{"ModelPackageName":"$spare_package"}"#;
    "ListModelPackages" => Sight, in Model, r#"{"ModelPackageGroupName":"hooded-pkg"}"#;
    "BatchDescribeModelPackage" => Sight, in Model, r#"{"ModelPackageArnList":["$package"]}"#;
    "AddTags" => Verb(RegisterModel), in Model, r#"{"ResourceArn":"$package_group","Tags":[{"Key":"a","Value":"b"}]}"#;
    "ListTags" => Sight, in Model, r#"{"ResourceArn":"$package_group"}"#;
    "DeleteTags" => Verb(RegisterModel), in Model, r#"{"ResourceArn":"$package_group","TagKeys":["a"]}"#;
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
    "DescribeExperiment" => Sight, in Experiment, r#"{"ExperimentName":"shrouded-sm-experiment"}"#;
    "UpdateExperiment" => Verb(ManageExperiment), in Experiment, r#"{"ExperimentName":"shrouded-sm-experiment","Description":"other"}"#;
    "DeleteExperiment" => Verb(ManageExperiment), in Experiment, r#"{"ExperimentName":"shrouded-sm-empty"}"#;
    "ListExperiments" => Sight, in Experiment, "{}";
    "CreateTrial" => Verb(ManageResource), in Experiment, r#"{"TrialName":"$new","ExperimentName":"shrouded-sm-experiment"}"#;
    "DescribeTrial" => Sight, in Experiment, r#"{"TrialName":"shrouded-trial"}"#;
    "UpdateTrial" => Verb(ManageResource), in Experiment, r#"{"TrialName":"shrouded-trial","DisplayName":"other"}"#;
    "DeleteTrial" => Verb(ManageResource), in Experiment, r#"{"TrialName":"shrouded-spare-trial"}"#;
    "ListTrials" => Sight, in Experiment, "{}";
    // Until it is in a trial it is in the experiment that every record starts with.
    "CreateTrialComponent" => Verb(LogRun), r#"{"TrialComponentName":"$new"}"#;
    "DescribeTrialComponent" => Sight, in Experiment, r#"{"TrialComponentName":"shrouded-component"}"#;
    "UpdateTrialComponent" => Verb(LogRun), in Experiment, r#"{"TrialComponentName":"shrouded-component","DisplayName":"other"}"#;
    "BatchPutMetrics" => Verb(LogRun), in Experiment, r#"{"TrialComponentName":"shrouded-component","MetricData":[{"MetricName":"m","Timestamp":1700000000,"Step":1,"Value":0.5}]}"#;
    "BatchGetMetrics" => Sight, in Experiment, r#"{"MetricQueries":[{"MetricName":"shrouded-metric","ResourceArn":"arn:aws:sagemaker:us-east-1:123456789012:experiment-trial-component/shrouded-component","MetricStat":"Last","Period":"IterationNumber","XAxisType":"IterationNumber"}]}"#;
    "AssociateTrialComponent" => Verb(LogRun), in Experiment, r#"{"TrialName":"shrouded-trial","TrialComponentName":"shrouded-component"}"#;
    "ListTrialComponents" => Sight, in Experiment, "{}";
    "DisassociateTrialComponent" => Verb(LogRun), in Experiment, r#"{"TrialName":"shrouded-trial","TrialComponentName":"shrouded-component"}"#;
    "DeleteTrialComponent" => Verb(LogRun), in Experiment, r#"{"TrialComponentName":"shrouded-spare-component"}"#;
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
    "Search" => Sight, in Experiment, r#"{"Resource":"Experiment"}"#;
    "Search" => Sight, in Experiment, r#"{"Resource":"ExperimentTrial"}"#;
    "Search" => Sight, in Experiment, r#"{"Resource":"ExperimentTrialComponent"}"#;
    "Search" => Sight, in Model, r#"{"Resource":"ModelPackageGroup"}"#;
    "Search" => Sight, in Model, r#"{"Resource":"ModelPackage"}"#;
    "Search" => Sight, r#"{"Resource":"ModelCard"}"#;
    "GetSearchSuggestions" => Sight, in Experiment, r#"{"Resource":"ExperimentTrialComponent"}"#;
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
