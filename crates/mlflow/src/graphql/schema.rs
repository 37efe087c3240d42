//! The types of MLflow 3.17's GraphQL schema, as tables.

pub(super) struct Object {
    pub(super) name: &'static str,
    pub(super) fields: &'static [Field],
}

pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Of fields with arguments: the name of the argument and what it holds.
    pub(super) argument: Option<(&'static str, Given)>,
}

/// What a field holds, and so what it reads as when the answer does not have it.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    /// A 64-bit integer as text, since JavaScript's numbers are doubles.
    Long,
    /// A double; what is no number is null.
    Double,
    Flag,
    /// One of several names, the first unless the answer says another.
    Named(&'static str, &'static str),
    Texts,
    One(&'static Object),
    /// Null unless the answer has it.
    Maybe(&'static Object),
    Many(&'static Object),
}

/// What an argument holds.
#[derive(Clone, Copy)]
pub(super) enum Given {
    Text,
    Message(&'static Input),
}

pub(super) struct Input {
    pub(super) name: &'static str,
    pub(super) fields: &'static [(&'static str, Scalar)],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Text,
    Texts,
    Int,
    Long,
    View,
}

impl Object {
    pub(super) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl Kind {
    /// The type of the selections below a field, if there are any.
    pub(super) fn object(self) -> Option<&'static Object> {
        match self {
            Kind::One(object) | Kind::Maybe(object) | Kind::Many(object) => Some(object),
            Kind::Text | Kind::Long | Kind::Double | Kind::Flag | Kind::Named(..) | Kind::Texts => None,
        }
    }

    /// The type as error texts name it.
    pub(super) fn name(self) -> String {
        match self {
            Kind::Text => "String".to_owned(),
            Kind::Long => "LongString".to_owned(),
            Kind::Double => "Float".to_owned(),
            Kind::Flag => "Boolean".to_owned(),
            Kind::Named(name, _) => name.to_owned(),
            Kind::Texts => "[String]".to_owned(),
            Kind::One(object) | Kind::Maybe(object) => object.name.to_owned(),
            Kind::Many(object) => format!("[{}!]", object.name),
        }
    }
}

impl Given {
    pub(super) fn name(self) -> &'static str {
        match self {
            Given::Text => "String",
            Given::Message(input) => input.name,
        }
    }
}

/// Every object type, for the conditions of fragments.
pub(super) fn object(name: &str) -> bool {
    const ROOTS: &[&Object] = &[&QUERY, &MUTATION];
    let mut waiting: Vec<&Object> = ROOTS.to_vec();
    let mut seen: Vec<&str> = Vec::new();
    while let Some(object) = waiting.pop() {
        if object.name == name {
            return true;
        }
        if !seen.contains(&object.name) {
            seen.push(object.name);
            waiting.extend(object.fields.iter().filter_map(|field| field.kind.object()));
        }
    }
    false
}

macro_rules! objects {
    ($($object:ident = $name:literal { $($field:literal $(($argument:literal: $given:expr))? => $kind:expr),+ $(,)? })+) => {
        $(pub(super) static $object: Object = Object {
            name: $name,
            fields: &[$(Field { name: $field, kind: $kind, argument: objects!(@argument $($argument, $given)?) }),+],
        };)+
    };
    (@argument) => { None };
    (@argument $argument:literal, $given:expr) => { Some(($argument, $given)) };
}

const RUN_STATUS: Kind = Kind::Named("MlflowRunStatus", "RUNNING");
const VERSION_STATUS: Kind = Kind::Named("MlflowModelVersionStatus", "PENDING_REGISTRATION");

objects! {
    QUERY = "Query" {
        "mlflowGetExperiment" ("input": Given::Message(&GET_EXPERIMENT)) => Kind::One(&GET_EXPERIMENT_RESPONSE),
        "mlflowGetMetricHistoryBulkInterval" ("input": Given::Message(&BULK_INTERVAL)) =>
            Kind::One(&BULK_INTERVAL_RESPONSE),
        "mlflowGetRun" ("input": Given::Message(&GET_RUN)) => Kind::One(&GET_RUN_RESPONSE),
        "mlflowListArtifacts" ("input": Given::Message(&LIST_ARTIFACTS)) => Kind::One(&LIST_ARTIFACTS_RESPONSE),
        "mlflowSearchModelVersions" ("input": Given::Message(&SEARCH_VERSIONS)) => Kind::One(&SEARCH_VERSIONS_RESPONSE),
        "mlflowSearchRuns" ("input": Given::Message(&SEARCH_RUNS)) => Kind::One(&SEARCH_RUNS_RESPONSE),
        "test" ("inputString": Given::Text) => Kind::One(&TEST),
    }
    MUTATION = "Mutation" {
        "mlflowSearchDatasets" ("input": Given::Message(&SEARCH_DATASETS)) => Kind::One(&SEARCH_DATASETS_RESPONSE),
        "mlflowSearchRuns" ("input": Given::Message(&SEARCH_RUNS)) => Kind::One(&SEARCH_RUNS_RESPONSE),
        "testMutation" ("inputString": Given::Text) => Kind::Maybe(&TEST_MUTATION),
    }
    TEST = "Test" { "output" => Kind::Text }
    TEST_MUTATION = "TestMutation" { "output" => Kind::Text }

    GET_EXPERIMENT_RESPONSE = "MlflowGetExperimentResponse" {
        "experiment" => Kind::One(&EXPERIMENT),
        "apiError" => Kind::Maybe(&API_ERROR),
    }
    BULK_INTERVAL_RESPONSE = "MlflowGetMetricHistoryBulkIntervalResponse" {
        "metrics" => Kind::Many(&METRIC_WITH_RUN_ID),
        "apiError" => Kind::Maybe(&API_ERROR),
    }
    GET_RUN_RESPONSE = "MlflowGetRunResponse" {
        "run" => Kind::One(&RUN),
        "apiError" => Kind::Maybe(&API_ERROR),
    }
    LIST_ARTIFACTS_RESPONSE = "MlflowListArtifactsResponse" {
        "rootUri" => Kind::Text,
        "files" => Kind::Many(&FILE_INFO),
        "nextPageToken" => Kind::Text,
        "apiError" => Kind::Maybe(&API_ERROR),
    }
    SEARCH_VERSIONS_RESPONSE = "MlflowSearchModelVersionsResponse" {
        "modelVersions" => Kind::Many(&MODEL_VERSION),
        "nextPageToken" => Kind::Text,
        "apiError" => Kind::Maybe(&API_ERROR),
    }
    SEARCH_RUNS_RESPONSE = "MlflowSearchRunsResponse" {
        "runs" => Kind::Many(&RUN),
        "nextPageToken" => Kind::Text,
        "apiError" => Kind::Maybe(&API_ERROR),
    }
    SEARCH_DATASETS_RESPONSE = "MlflowSearchDatasetsResponse" {
        "datasetSummaries" => Kind::Many(&DATASET_SUMMARY),
        "apiError" => Kind::Maybe(&API_ERROR),
    }

    API_ERROR = "ApiError" {
        "code" => Kind::Text,
        "message" => Kind::Text,
        "helpUrl" => Kind::Text,
        "traceId" => Kind::Text,
        "errorDetails" => Kind::Many(&ERROR_DETAIL),
    }
    ERROR_DETAIL = "ErrorDetail" { "field" => Kind::Text, "message" => Kind::Text }
    EXPERIMENT = "MlflowExperiment" {
        "experimentId" => Kind::Text,
        "name" => Kind::Text,
        "artifactLocation" => Kind::Text,
        "lifecycleStage" => Kind::Text,
        "lastUpdateTime" => Kind::Long,
        "creationTime" => Kind::Long,
        "tags" => Kind::Many(&EXPERIMENT_TAG),
        "effectiveTraceArchivalRetention" => Kind::Text,
        "workspace" => Kind::Text,
    }
    EXPERIMENT_TAG = "MlflowExperimentTag" { "key" => Kind::Text, "value" => Kind::Text }
    RUN = "MlflowRunExtension" {
        "info" => Kind::One(&RUN_INFO),
        "data" => Kind::One(&RUN_DATA),
        "inputs" => Kind::One(&RUN_INPUTS),
        "outputs" => Kind::One(&RUN_OUTPUTS),
        "experiment" => Kind::One(&EXPERIMENT),
        "modelVersions" => Kind::Many(&MODEL_VERSION),
    }
    RUN_INFO = "MlflowRunInfo" {
        "runId" => Kind::Text,
        "runUuid" => Kind::Text,
        "runName" => Kind::Text,
        "experimentId" => Kind::Text,
        "userId" => Kind::Text,
        "status" => RUN_STATUS,
        "startTime" => Kind::Long,
        "endTime" => Kind::Long,
        "artifactUri" => Kind::Text,
        "lifecycleStage" => Kind::Text,
    }
    RUN_DATA = "MlflowRunData" {
        "metrics" => Kind::Many(&METRIC),
        "params" => Kind::Many(&PARAM),
        "tags" => Kind::Many(&RUN_TAG),
    }
    METRIC = "MlflowMetricExtension" {
        "key" => Kind::Text,
        "value" => Kind::Double,
        "timestamp" => Kind::Long,
        "step" => Kind::Long,
        "datasetName" => Kind::Text,
        "datasetDigest" => Kind::Text,
        "modelId" => Kind::Text,
        "runId" => Kind::Text,
    }
    METRIC_WITH_RUN_ID = "MlflowMetricWithRunId" {
        "key" => Kind::Text,
        "value" => Kind::Double,
        "timestamp" => Kind::Long,
        "step" => Kind::Long,
        "runId" => Kind::Text,
    }
    PARAM = "MlflowParam" { "key" => Kind::Text, "value" => Kind::Text }
    RUN_TAG = "MlflowRunTag" { "key" => Kind::Text, "value" => Kind::Text }
    RUN_INPUTS = "MlflowRunInputs" {
        "datasetInputs" => Kind::Many(&DATASET_INPUT),
        "modelInputs" => Kind::Many(&MODEL_INPUT),
    }
    DATASET_INPUT = "MlflowDatasetInput" { "tags" => Kind::Many(&INPUT_TAG), "dataset" => Kind::One(&DATASET) }
    INPUT_TAG = "MlflowInputTag" { "key" => Kind::Text, "value" => Kind::Text }
    DATASET = "MlflowDataset" {
        "name" => Kind::Text,
        "digest" => Kind::Text,
        "sourceType" => Kind::Text,
        "source" => Kind::Text,
        "schema" => Kind::Text,
        "profile" => Kind::Text,
    }
    MODEL_INPUT = "MlflowModelInput" { "modelId" => Kind::Text }
    RUN_OUTPUTS = "MlflowRunOutputs" { "modelOutputs" => Kind::Many(&MODEL_OUTPUT) }
    MODEL_OUTPUT = "MlflowModelOutput" { "modelId" => Kind::Text, "step" => Kind::Long }
    FILE_INFO = "MlflowFileInfo" { "path" => Kind::Text, "isDir" => Kind::Flag, "fileSize" => Kind::Long }
    DATASET_SUMMARY = "MlflowDatasetSummary" {
        "experimentId" => Kind::Text,
        "name" => Kind::Text,
        "digest" => Kind::Text,
        "context" => Kind::Text,
    }
    MODEL_VERSION = "MlflowModelVersion" {
        "name" => Kind::Text,
        "version" => Kind::Text,
        "creationTimestamp" => Kind::Long,
        "lastUpdatedTimestamp" => Kind::Long,
        "userId" => Kind::Text,
        "currentStage" => Kind::Text,
        "description" => Kind::Text,
        "source" => Kind::Text,
        "runId" => Kind::Text,
        "status" => VERSION_STATUS,
        "statusMessage" => Kind::Text,
        "tags" => Kind::Many(&MODEL_VERSION_TAG),
        "runLink" => Kind::Text,
        "aliases" => Kind::Texts,
        "modelId" => Kind::Text,
        "modelParams" => Kind::Many(&MODEL_PARAM),
        "modelMetrics" => Kind::Many(&MODEL_METRIC),
        "deploymentJobState" => Kind::One(&DEPLOYMENT_JOB_STATE),
    }
    MODEL_VERSION_TAG = "MlflowModelVersionTag" { "key" => Kind::Text, "value" => Kind::Text }
    MODEL_PARAM = "MlflowModelParam" { "name" => Kind::Text, "value" => Kind::Text }
    MODEL_METRIC = "MlflowModelMetric" {
        "key" => Kind::Text,
        "value" => Kind::Double,
        "timestamp" => Kind::Long,
        "step" => Kind::Long,
        "datasetName" => Kind::Text,
        "datasetDigest" => Kind::Text,
        "modelId" => Kind::Text,
        "runId" => Kind::Text,
    }
    DEPLOYMENT_JOB_STATE = "MlflowModelVersionDeploymentJobState" {
        "jobId" => Kind::Text,
        "runId" => Kind::Text,
        "jobState" => Kind::Named("MlflowDeploymentJobConnectionState", "DEPLOYMENT_JOB_CONNECTION_STATE_UNSPECIFIED"),
        "runState" => Kind::Named(
            "MlflowModelVersionDeploymentJobStateDeploymentJobRunState",
            "DEPLOYMENT_JOB_RUN_STATE_UNSPECIFIED",
        ),
        "currentTaskName" => Kind::Text,
    }
}

macro_rules! inputs {
    ($($input:ident = $name:literal { $($field:literal: $scalar:ident),+ })+) => {
        $(pub(super) static $input: Input = Input { name: $name, fields: &[$(($field, Scalar::$scalar)),+] };)+
    };
}

inputs! {
    GET_EXPERIMENT = "MlflowGetExperimentInput" { "experimentId": Text }
    GET_RUN = "MlflowGetRunInput" { "runId": Text, "runUuid": Text }
    BULK_INTERVAL = "MlflowGetMetricHistoryBulkIntervalInput" {
        "runIds": Texts, "metricKey": Text, "startStep": Int, "endStep": Int, "maxResults": Int
    }
    LIST_ARTIFACTS = "MlflowListArtifactsInput" { "runId": Text, "runUuid": Text, "path": Text, "pageToken": Text }
    SEARCH_VERSIONS = "MlflowSearchModelVersionsInput" {
        "filter": Text, "maxResults": Long, "orderBy": Texts, "pageToken": Text
    }
    SEARCH_RUNS = "MlflowSearchRunsInput" {
        "experimentIds": Texts, "filter": Text, "runViewType": View, "maxResults": Int, "orderBy": Texts,
        "pageToken": Text
    }
    SEARCH_DATASETS = "MlflowSearchDatasetsInput" { "experimentIds": Texts }
}
