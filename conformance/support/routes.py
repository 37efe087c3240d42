"""The routes of MLflow's tracking, registry, artifact and logged-model services, with the fields that each reads.

A field is `name: kind`; `kinds` in the fuzz suite says what a plausible value of a kind is. A name in braces stands in the path.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    fields: dict[str, str]

    @property
    def reads_query(self) -> bool:
        return self.method == "GET"

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def _fields(text: str = "") -> dict[str, str]:
    pairs = (word.split(":") for word in text.split())
    return {name: kind for name, kind in pairs}


# One line a route: method, path below the prefix of its group, fields.
_TRACKING = """
GET    experiments/get-by-name            experiment_name:name
POST   experiments/create                 name:name artifact_location:uri tags:tags
POST   experiments/search                 filter:filter order_by:strings max_results:int page_token:token view_type:view
GET    experiments/search                 filter:filter order_by:string max_results:int page_token:token view_type:view
GET    experiments/get                    experiment_id:experiment
POST   experiments/delete                 experiment_id:experiment
POST   experiments/restore                experiment_id:experiment
POST   experiments/update                 experiment_id:experiment new_name:name
POST   experiments/set-experiment-tag     experiment_id:experiment key:key value:string
POST   experiments/delete-experiment-tag  experiment_id:experiment key:key
POST   runs/create                        experiment_id:experiment user_id:string run_name:string start_time:int tags:tags
POST   runs/update                        run_id:run run_uuid:run status:status end_time:int run_name:string
POST   runs/delete                        run_id:run
POST   runs/restore                       run_id:run
GET    runs/get                           run_id:run run_uuid:run
POST   runs/search                        experiment_ids:experiments filter:filter run_view_type:view max_results:int order_by:strings page_token:token
POST   runs/log-metric                    run_id:run key:key value:double timestamp:int step:int model_id:model dataset_name:string dataset_digest:string
POST   runs/log-parameter                 run_id:run key:key value:string
POST   runs/set-tag                       run_id:run key:key value:string
POST   runs/delete-tag                    run_id:run key:key
POST   runs/log-batch                     run_id:run metrics:metrics params:tags tags:tags
POST   runs/log-inputs                    run_id:run datasets:datasets models:models
POST   runs/outputs                       run_id:run models:models
POST   runs/log-model                     run_id:run model_json:string
GET    metrics/get-history                run_id:run metric_key:key max_results:int page_token:token
GET    metrics/get-history-bulk-interval  run_ids:run metric_key:key start_step:int end_step:int max_results:int
GET    artifacts/list                     run_id:run path:path page_token:token
POST   artifacts/presigned-upload-url     run_id:run model_id:model path:path expiration:int
POST   artifacts/presigned-download-url   run_id:run path:path expiration:int
POST   logged-models                      experiment_id:experiment name:name model_type:string source_run_id:run params:tags tags:tags
GET    logged-models/{model_id}           model_id:model allow_deleted:bool
PATCH  logged-models/{model_id}           model_id:model status:status
DELETE logged-models/{model_id}           model_id:model
POST   logged-models/search               experiment_ids:experiments filter:filter datasets:objects max_results:int order_by:objects page_token:token
PATCH  logged-models/{model_id}/tags      model_id:model tags:tags
DELETE logged-models/{model_id}/tags/{tag_key}             model_id:model tag_key:key
POST   logged-models/{model_id}/params                     model_id:model params:tags
GET    logged-models/{model_id}/artifacts/directories      model_id:model artifact_directory_path:path
"""

_REGISTRY = """
POST   registered-models/create               name:name tags:tags description:string
POST   registered-models/rename               name:registered new_name:name
PATCH  registered-models/update               name:registered description:string
DELETE registered-models/delete               name:registered
GET    registered-models/get                  name:registered
GET    registered-models/search               filter:filter max_results:int order_by:string page_token:token
POST   registered-models/get-latest-versions  name:registered stages:strings
GET    registered-models/get-latest-versions  name:registered stages:string
POST   registered-models/set-tag              name:registered key:key value:string
DELETE registered-models/delete-tag           name:registered key:key
POST   registered-models/alias                name:registered alias:key version:version
GET    registered-models/alias                name:registered alias:key
DELETE registered-models/alias                name:registered alias:key
POST   model-versions/create                  name:registered source:uri run_id:run tags:tags run_link:string description:string model_id:model
PATCH  model-versions/update                  name:registered version:version description:string
POST   model-versions/transition-stage        name:registered version:version stage:stage archive_existing_versions:bool
DELETE model-versions/delete                  name:registered version:version
GET    model-versions/get                     name:registered version:version
GET    model-versions/search                  filter:filter max_results:int order_by:string page_token:token
GET    model-versions/get-download-uri        name:registered version:version
POST   model-versions/set-tag                 name:registered version:version key:key value:string
DELETE model-versions/delete-tag              name:registered version:version key:key
"""

_WEBHOOKS = """
POST   webhooks                          name:name url:uri events:objects description:string secret:string status:string
GET    webhooks                          max_results:int page_token:token
GET    webhooks/{webhook_id}             webhook_id:key
PATCH  webhooks/{webhook_id}             webhook_id:key name:name url:uri events:objects description:string status:string
DELETE webhooks/{webhook_id}             webhook_id:key
POST   webhooks/{webhook_id}/test        webhook_id:key
GET    webhooks/{webhook_id}/deliveries  webhook_id:key max_results:int page_token:token
"""

_USERS = """
POST   users/create           username:name password:string
GET    users/get              username:name
GET    users/list             username:name
GET    users/current          username:name
PATCH  users/update-password  username:name password:string current_password:string
PATCH  users/update-admin     username:name is_admin:string
DELETE users/delete           username:name
POST   experiments/permissions/create         experiment_id:experiment username:name permission:string
GET    experiments/permissions/get            experiment_id:experiment username:name
PATCH  experiments/permissions/update         experiment_id:experiment username:name permission:string
DELETE experiments/permissions/delete         experiment_id:experiment username:name
POST   registered-models/permissions/create   name:name username:name permission:string
GET    registered-models/permissions/get      name:name username:name
PATCH  registered-models/permissions/update   name:name username:name permission:string
DELETE registered-models/permissions/delete   name:name username:name
"""

# Below /api/3.0/mlflow.
_ROLES = """
GET    users/current/permissions  username:name
GET    users/permissions/list     username:name
GET    users/permissions/get      username:name resource_type:string resource_id:key
POST   users/permissions/grant    username:name resource_type:string resource_id:key permission:string
POST   users/permissions/revoke   username:name resource_type:string resource_id:key
GET    users/roles/list           username:name
POST   roles/create               workspace:string name:name description:string
GET    roles/get                  role_id:int
GET    roles/list                 workspace:string
PATCH  roles/update               role_id:int name:name description:string
DELETE roles/delete               role_id:int
POST   roles/permissions/add      role_id:int resource_type:string resource_pattern:key permission:string
DELETE roles/permissions/remove   role_permission_id:int
GET    roles/permissions/list     role_id:int
PATCH  roles/permissions/update   role_permission_id:int permission:string
POST   roles/assign               username:name role_id:int
DELETE roles/unassign             username:name role_id:int
GET    roles/users/list           role_id:int
"""

# Below /api/3.0/mlflow.
_EVALUATION = """
POST   datasets/create                           name:name experiment_ids:experiments tags:string
POST   datasets/search                           experiment_ids:experiments filter_string:filter max_results:int order_by:strings page_token:token
GET    datasets/search                           experiment_ids:experiment filter_string:filter max_results:int order_by:string page_token:token
GET    datasets/{dataset_id}                     dataset_id:key
DELETE datasets/{dataset_id}                     dataset_id:key
PATCH  datasets/{dataset_id}/tags                dataset_id:key tags:string
DELETE datasets/{dataset_id}/tags/{key}          dataset_id:key key:key
GET    datasets/{dataset_id}/experiment-ids      dataset_id:key
POST   datasets/{dataset_id}/add-experiments     dataset_id:key experiment_ids:experiments
POST   datasets/{dataset_id}/remove-experiments  dataset_id:key experiment_ids:experiments
GET    datasets/{dataset_id}/records             dataset_id:key max_results:int page_token:token
POST   datasets/{dataset_id}/records             dataset_id:key records:string
DELETE datasets/{dataset_id}/records             dataset_id:key dataset_record_ids:strings
POST   scorers/register                          experiment_id:experiment name:name serialized_scorer:string
GET    scorers/list                              experiment_id:experiment experiment_ids:experiment
GET    scorers/versions                          experiment_id:experiment name:name
GET    scorers/get                               experiment_id:experiment name:name version:int
DELETE scorers/delete                            experiment_id:experiment name:name version:int
GET    scorers/online-configs                    scorer_ids:string
PUT    scorers/online-config                     experiment_id:experiment name:name sample_rate:double filter_string:filter
POST   issues                                    experiment_id:experiment name:name description:string status:string severity:string root_causes:strings categories:strings source_run_id:run created_by:string
POST   issues/search                             experiment_id:experiment filter_string:filter max_results:int page_token:token include_trace_count:bool
GET    issues/{issue_id}                         issue_id:key
PATCH  issues/{issue_id}                         issue_id:key name:name description:string status:string severity:string
POST   label-schemas/create                      experiment_id:experiment name:name type:int input:object instruction:string enable_comment:bool
GET    label-schemas/get                         schema_id:key
GET    label-schemas/get-by-name                 experiment_id:experiment name:name
GET    label-schemas/list                        experiment_id:experiment max_results:int page_token:token
PATCH  label-schemas/update                      schema_id:key name:name instruction:string enable_comment:bool input:object
DELETE label-schemas/delete                      schema_id:key
POST   review-queues/create                      experiment_id:experiment name:name queue_type:int users:strings schema_ids:strings
POST   review-queues/get-or-create-user          experiment_id:experiment user:name
GET    review-queues/get                         queue_id:key
GET    review-queues/get-by-name                 experiment_id:experiment name:name
GET    review-queues/list                        experiment_id:experiment user:name item_id:key max_results:int page_token:token
POST   review-queues/update                      queue_id:key update_users:bool users:strings update_schema_ids:bool schema_ids:strings name:name new_owner:string
POST   review-queues/delete                      queue_id:key
POST   review-queues/items/add                   queue_id:key item_type:int item_ids:strings
POST   review-queues/items/remove                queue_id:key item_ids:strings
GET    review-queues/items/list                  queue_id:key status:int max_results:int page_token:token
POST   review-queues/items/set-status            queue_id:key item_id:key status:int completed_by:string
POST   traces                                    trace:string
POST   traces/search                             locations:objects filter:filter max_results:int order_by:strings page_token:token
GET    traces/get                                trace_id:key allow_partial:bool
GET    traces/batchGet                           trace_ids:string experiment_ids:experiment
POST   traces/batchGetInfos                      trace_ids:strings experiment_ids:experiments
POST   traces/delete-traces                      experiment_id:experiment max_timestamp_millis:int max_traces:int request_ids:strings
POST   traces/calculate-filter-correlation       experiment_ids:experiments filter_string1:filter filter_string2:filter base_filter:filter
POST   traces/metrics                            experiment_ids:experiments view_type:string metric_name:string aggregations:objects dimensions:strings filters:strings time_interval_seconds:int start_time_ms:int end_time_ms:int max_results:int
GET    traces/{trace_id}                         trace_id:key
PATCH  traces/{trace_id}/tags                    trace_id:key key:key value:string
DELETE traces/{trace_id}/tags                    trace_id:key key:key
POST   traces/{trace_id}/assessments             trace_id:key assessment:string
GET    traces/{trace_id}/assessments/{assessment_id}  trace_id:key assessment_id:key
PATCH  traces/{trace_id}/assessments/{assessment_id}  trace_id:key assessment_id:key assessment:string update_mask:string
DELETE traces/{trace_id}/assessments/{assessment_id}  trace_id:key assessment_id:key
"""

# Below /api/2.0/mlflow-artifacts. The file routes are apart, since their bodies are not JSON.
_PROXY = """
GET    artifacts              path:path
POST   mpu/create/{where}     where:path path:path num_parts:int
POST   mpu/complete/{where}   where:path path:path upload_id:string parts:objects
POST   mpu/abort/{where}      where:path path:path upload_id:string
GET    presigned/{where}      where:path
"""

# Served for the UI only, at the paths given.
_AJAX = """
POST   /graphql                                                           query:string operationName:string
GET    /ajax-api/2.0/mlflow/metrics/get-history-bulk                      run_id:run metric_key:key max_results:int
GET    /ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files      model_id:model artifact_file_path:path
POST   /ajax-api/2.0/mlflow/experiments/search-datasets                   experiment_ids:experiments
GET    /ajax-api/2.0/mlflow/gateway-proxy                                 gateway_path:path
GET    /ajax-api/3.0/mlflow/gateway/endpoints/list
GET    /ajax-api/3.0/mlflow/gateway/endpoints/bindings/list
GET    /ajax-api/3.0/mlflow/gateway/model-definitions/list
GET    /ajax-api/3.0/mlflow/gateway/secrets/list
GET    /ajax-api/3.0/mlflow/gateway/secrets/config
GET    /ajax-api/3.0/mlflow/gateway/supported-providers
GET    /ajax-api/3.0/mlflow/assistant/config                              provider:string
GET    /ajax-api/3.0/mlflow/assistant/providers                           provider:string
GET    /ajax-api/3.0/mlflow/ui-telemetry                                  installation_id:string
POST   /ajax-api/3.0/mlflow/ui-telemetry                                  records:objects
"""


def _table(text: str, prefix: str) -> list[Route]:
    rows = (line.split(maxsplit=2) for line in text.strip().splitlines())
    return [Route(method, prefix + path, _fields(*fields)) for method, path, *fields in rows]


API_ROUTES: list[Route] = [
    *_table(_TRACKING, "/api/2.0/mlflow/"),
    *_table(_REGISTRY, "/api/2.0/mlflow/"),
    *_table(_WEBHOOKS, "/api/2.0/mlflow/"),
    *_table(_EVALUATION, "/api/3.0/mlflow/"),
    *_table(_USERS, "/api/2.0/mlflow/"),
    *_table(_ROLES, "/api/3.0/mlflow/"),
    *_table(_PROXY, "/api/2.0/mlflow-artifacts/"),
    *_table(_AJAX, ""),
]

# Routes that take a path or a name and answer with (or take) a file.
FILE_ROUTES: list[Route] = [
    Route("GET", "/api/2.0/mlflow-artifacts/artifacts/{path}", {"path": "path"}),
    Route("PUT", "/api/2.0/mlflow-artifacts/artifacts/{path}", {"path": "path"}),
    Route("DELETE", "/api/2.0/mlflow-artifacts/artifacts/{path}", {"path": "path"}),
    Route("GET", "/get-artifact", {"run_id": "run", "path": "path"}),
    Route("GET", "/model-versions/get-artifact", {"name": "registered", "version": "version", "path": "path"}),
    Route("POST", "/ajax-api/2.0/mlflow/upload-artifact", {"run_uuid": "run", "path": "path"}),
]
