"""Nobody gets a version around its gates: random requests through every script, as every role, two clients at once."""

import json
import os
import random
import re
import time
from concurrent.futures import ThreadPoolExecutor

from botocore import xform_name
from botocore.exceptions import ClientError
from people import ROLES, Person
from routes import API_ROUTES

CLIENTS = 2
STEPS = int(os.environ.get("STELE_ESCAPE_STEPS", "1500"))
SEED = int(os.environ.get("STELE_ESCAPE_SEED") or time.time_ns() % 1_000_000)

STAGES = ["Production", "Production", "Staging", "Archived", "None"]
ALIASES = ["production", "champion", "staging", "archived", "other", "Production", "latest"]
APPROVALS = ["Approved", "Approved", "Rejected", "PendingManualApproval"]
TAGS = ["stele.approval", "stele.stage", "stage", "current_stage", "mlflow.prompt.is_prompt", "a"]
VALUES = ["approved", "production", "true", "x"]

# What gates always refuse, what lies outside of this server, and what is no end of an edge.
IDLE = {
    "DELETE /api/3.0/mlflow/workspaces/{workspace_name}",
    "PUT models/{model}/versions/{version}/artifacts/file",
    "AddAssociation",
    "DeleteAssociation",
}
# A glass is broken on purpose and loudly, and one POST only reads.
NOT_ASKED = {
    "POST models/{model}/versions/{version}/gate-exceptions",
    "POST /api/2.0/mlflow/registered-models/get-latest-versions",
}


class Requests:
    """Every request that makes, moves, marks, renames or deletes models and versions, by the route that it goes to.

    Some models are guarded by gates that nothing can pass. Others are free, so that a version of theirs may be brought to
    production and then come under the gates by another way.
    """

    def __init__(self, name):
        # What the gates guard begins with it.
        self.prefix = f"{name}m"
        self.guarded = [f"{name}m1", f"{name}m2"]
        self.brought = set()
        self.free = [f"{name}f1", f"{name}f2"]
        self.teams = iter(f"{name}-{number}" for number in range(1_000_000))

    def model(self, choose):
        return choose.choice(self.guarded * 3 + self.free)

    def version(self, choose):
        return {"name": self.model(choose), "version": str(choose.randint(1, 4))}

    def place(self, choose):
        return "models/{name}/versions/{version}".format(**self.version(choose))

    def arn(self, choose):
        return self.arn_of("{name}/{version}".format(**self.version(choose)))

    def arn_of(self, package):
        kind = "model-package" if "/" in package else "model-package-group"
        return f"arn:aws:sagemaker:eu-west-1:123456789012:{kind}/{package}"

    def group(self, choose):
        return {"ModelPackageGroupName": self.model(choose)}

    def tag(self, choose):
        return {"key": choose.choice(TAGS), "value": choose.choice(VALUES)}

    def tags(self, choose):
        return choose.choice([[], [self.tag(choose)]])

    def move(self, choose):
        """Archiving the others of an inactive stage is an error of MLflow's."""
        stage = choose.choice(STAGES)
        archive = stage in ("Production", "Staging") and choose.random() < 0.7
        return {"stage": stage, "archive_existing_versions": archive}

    def package(self, choose):
        """Some of what a package may be made with."""
        package = {}
        if choose.random() < 0.5:
            package["ModelApprovalStatus"] = choose.choice(APPROVALS)
        if choose.random() < 0.5:
            package["ModelLifeCycle"] = {"Stage": choose.choice(STAGES), "StageStatus": "Live"}
        if choose.random() < 0.2:
            package["CustomerMetadataProperties"] = {choose.choice(["stele.aliases", "a"]): "champion,production"}
        return package

    def table(self):
        """The name of a route, and what sends a random request to it as somebody."""
        named = {}

        def mlflow(method, route, fields, version="2.0"):
            named[f"{method} /api/{version}/mlflow/{route}"] = lambda c, who: who.mlflow(method, route, fields(c), version)

        mlflow("POST", "registered-models/create", lambda c: {"name": self.model(c), "tags": self.tags(c)})
        mlflow("POST", "registered-models/rename", self.renamed)
        mlflow("PATCH", "registered-models/update", lambda c: {"name": self.model(c), "description": "text"})
        mlflow("DELETE", "registered-models/delete", lambda c: {"name": self.model(c)})
        mlflow("POST", "registered-models/set-tag", lambda c: {"name": self.model(c), **self.tag(c)})
        mlflow("DELETE", "registered-models/delete-tag", lambda c: {"name": self.model(c), "key": c.choice(TAGS)})
        mlflow("POST", "registered-models/alias", lambda c: {**self.version(c), "alias": c.choice(ALIASES)})
        mlflow("DELETE", "registered-models/alias", lambda c: {"name": self.model(c), "alias": c.choice(ALIASES)})
        mlflow("POST", "model-versions/create", self.new_version)
        mlflow("PATCH", "model-versions/update", lambda c: {**self.version(c), "description": "text"})
        mlflow(
            "POST",
            "model-versions/transition-stage",
            lambda c: {**self.version(c), **self.move(c)},
        )
        mlflow("DELETE", "model-versions/delete", lambda c: self.version(c))
        mlflow("POST", "model-versions/set-tag", lambda c: {**self.version(c), **self.tag(c)})
        mlflow("DELETE", "model-versions/delete-tag", lambda c: {**self.version(c), "key": c.choice(TAGS)})
        for method, verb in (("POST", "create"), ("PATCH", "update"), ("DELETE", "delete")):
            mlflow(method, f"registered-models/permissions/{verb}", self.permission)
        for verb in ("grant", "revoke"):
            mlflow("POST", f"users/permissions/{verb}", self.granted, "3.0")
        named["DELETE /api/3.0/mlflow/workspaces/{workspace_name}"] = self.move_in
        named["POST /graphql"] = lambda c, who: who.ask("POST", "/graphql", {"query": self.mutation(c)})

        def sagemaker(operation, fields):
            named[operation] = lambda c, who: getattr(who.sm, xform_name(operation))(**fields(c))

        sagemaker("CreateModelPackageGroup", self.group)
        sagemaker("DeleteModelPackageGroup", self.group)
        sagemaker("PutModelPackageGroupPolicy", lambda c: {**self.group(c), "ResourcePolicy": '{"Statement":[]}'})
        sagemaker("DeleteModelPackageGroupPolicy", self.group)
        sagemaker("CreateModelPackage", lambda c: {**self.group(c), **self.package(c)})
        described = lambda c: c.choice([{}, {"ApprovalDescription": "text"}])  # noqa: E731
        sagemaker("UpdateModelPackage", lambda c: {"ModelPackageArn": self.arn(c), **self.package(c), **described(c)})
        sagemaker("DeleteModelPackage", lambda c: {"ModelPackageName": self.arn(c)})
        tagged = lambda c: c.choice([self.arn(c), self.arn_of(self.model(c))])  # noqa: E731
        sagemaker("AddTags", lambda c: {"ResourceArn": tagged(c), "Tags": [{"Key": c.choice(TAGS), "Value": "approved"}]})
        sagemaker("DeleteTags", lambda c: {"ResourceArn": tagged(c), "TagKeys": [c.choice(TAGS)]})
        for operation in ("AddAssociation", "DeleteAssociation"):
            sagemaker(operation, lambda c: {"SourceArn": self.arn(c), "DestinationArn": self.arn(c)})

        def native(name, path, body=lambda _: None):
            method = name.split()[0]
            named[name] = lambda c, who: who.native(method, path(c), body(c))

        native(
            "PUT models/{model}/versions/{version}/stage",
            lambda c: f"{self.place(c)}/stage",
            lambda c: {"stage": c.choice(STAGES).lower(), "archive_others": c.random() < 0.7},
        )
        alias = lambda c: f"models/{self.model(c)}/aliases/{c.choice(ALIASES)}"  # noqa: E731
        native("PUT models/{model}/aliases/{alias}", alias, lambda c: {"version": c.randint(1, 4)})
        native("DELETE models/{model}/aliases/{alias}", alias)
        native(
            "POST models/{model}/versions/{version}/reviews",
            lambda c: f"{self.place(c)}/reviews",
            lambda c: {"review": c.choice(["approve", "approve", "reject", "withdraw", "request", "comment"]), "reason": "x"},
        )
        native(
            "POST models/{model}/versions/{version}/evaluations",
            lambda c: f"{self.place(c)}/evaluations",
            lambda c: {"digest": "d", "metrics": {"auc": c.random()}},
        )
        native(
            "PUT models/{model}/versions/{version}/artifacts/file",
            lambda c: f"{self.place(c)}/artifacts/file?path=x.txt",
            lambda _: b"other",
        )
        return named

    def renamed(self, choose):
        one, other = choose.sample([*self.guarded, *self.free], 2)
        return {"name": one, "new_name": other}

    def new_version(self, choose):
        """From nowhere, or as a copy of another version, which is how MLflow's client copies."""
        source = choose.choice(["s3://b/m", "models:/{name}/{version}".format(**self.version(choose))])
        return {"name": self.model(choose), "source": source, "tags": self.tags(choose)}

    def permission(self, choose):
        permission = choose.choice(["READ", "EDIT", "MANAGE"])
        return {"name": self.model(choose), "username": choose.choice(ROLES), "permission": permission}

    def granted(self, choose):
        fields = self.permission(choose)
        return {"resource_type": "registered_model", "resource_id": fields.pop("name"), **fields}

    def mutation(self, choose):
        version = json.dumps(self.version(choose)["version"])
        return f'mutation {{ transitionModelVersionStage(name: "{self.model(choose)}", version: {version}) {{ x }} }}'

    def move_in(self, choose, who):
        """Brings a version to production in a workspace without gates, and the workspace into `default`."""
        team = next(self.teams)
        model = choose.choice([*self.guarded, f"{self.prefix}{team}"])
        self.brought.add(model)
        made = who.mlflow("POST", "workspaces", {"name": team}, "3.0")
        if made.status == 201:
            who.mlflow("POST", "registered-models/create", {"name": model}, workspace=team)
            who.mlflow("POST", "model-versions/create", {"name": model, "source": "s3://b/m"}, workspace=team)
            move = {"name": model, "version": "1", "stage": "Production", "archive_existing_versions": True}
            moved = who.mlflow("POST", "model-versions/transition-stage", move, workspace=team)
            assert moved.status == 200, moved
        return who.ask("DELETE", f"/api/3.0/mlflow/workspaces/{team}?mode=SET_DEFAULT")


def weight(route):
    """How often a route is asked: what makes and moves versions often, what takes them away seldom."""
    if route.endswith(("registered-models/create", "model-versions/create", "CreateModelPackage")):
        return 4
    if route.endswith(("transition-stage", "/stage", "UpdateModelPackage", "reviews")) or "alias" in route:
        return 2
    return 0.3 if route.endswith(("s/delete", "DeleteModelPackage", "DeleteModelPackageGroup")) else 1


def offered_with_models(person):
    """Every mutating route that takes a model or a version, of every script."""
    found = {str(route) for route in API_ROUTES if route.method != "GET" and of_models(route)}
    document = person.native("GET", "openapi.json").json()
    for path, methods in document["paths"].items():
        if "{model}" in path:
            found |= {f"{method.upper()} {path.split('/v1/')[1]}" for method in methods if method != "get"}
    service = person.sm.meta.service_model
    for operation in service.operation_names:
        shape = service.operation_model(operation).input_shape
        members = set(shape.members) if shape else set()
        takes = {"ModelPackageGroupName", "ModelPackageName", "ModelPackageArn", "ResourceArn"} & members
        if takes and not re.match("Describe|List|Get|Search|Batch", operation) and is_offered(person, operation):
            found.add(operation)
    return found


def of_models(route):
    return (
        {"registered", "version"} & set(route.fields.values())
        or "registered-models" in route.path
        or "resource_id" in route.fields
    )


def is_offered(person, operation):
    try:
        getattr(person.sm, xform_name(operation))()
    except ClientError as error:
        return error.response["Error"]["Code"] != "UnknownOperationException"
    return True


def escaped(person, requests):
    """What is where no version may be."""
    found = []
    for model in {*requests.guarded, *requests.brought}:
        answer = person.native("GET", f"models/{model}/versions")
        for version in answer.json()["versions"] if answer.status == 200 else ():
            is_there = (
                version["stage"] == "production"
                or version["approval"] == "approved"
                or {"champion", "production"} & set(version["aliases"])
            )
            if is_there:
                found.append((model, version))
        for alias in ("production", "champion"):
            answer = person.native("GET", f"models/{model}/aliases/{alias}")
            if answer.status == 200:
                found.append((model, alias, answer.json()))
    return found


def ever_escaped(person, requests):
    """The moves that the audit log tells of, also of versions that did not stay."""
    found = []
    # The last line says where the log ends.
    for line in person.native("GET", "audit/export").body.splitlines()[:-1]:
        entry = json.loads(line)
        model, after = entry["object"].split("/")[0], entry["after"] or {}
        is_move = {
            "model-version.transition": after.get("stage") == "production",
            "model-version.approval": after.get("approval") == "approved",
            "model.alias.set": after.get("alias") in ("production", "champion"),
        }
        is_here = model.startswith(requests.prefix) and entry["outcome"] == "done" and entry["workspace"] == 1
        if is_here and is_move.get(entry["action"]):
            found.append(entry)
    return found


def test_no_request_gets_a_version_around_its_gates(guarded, name):
    server, credentials = guarded
    requests = Requests(name)
    table = requests.table()
    administrator = Person(server.url, next(one for one in credentials if one.role == "administrator"))
    missing = offered_with_models(administrator) - set(table) - NOT_ASKED
    assert not missing, f"mutating routes with a model that are not tried: {sorted(missing)}"
    impossible = [{"metric": "auc", "at_least": 0.8}, {"metric": "auc", "at_most": 0.2}]
    for kind, target in (("stage", "production"), ("alias", "champion"), ("approval", "approved")):
        rules = [{"evaluation": {"digest": "d", "thresholds": impossible}}]
        gate = {"name": f"{name}-{kind}", "models": f"{name}m*", "target": {kind: target}, "rules": rules}
        assert administrator.native("POST", "gates", gate).status == 200
    for model in requests.guarded:
        administrator.mlflow("POST", "registered-models/create", {"name": model})
        administrator.mlflow("POST", "model-versions/create", {"name": model, "source": "s3://b/m"})

    print(f"seed {SEED}")
    broken, done = [], dict.fromkeys(table, 0)

    weights = [weight(route) for route in table]

    def ask(choose, person, route, last):
        last[:] = [*last[-20:], (person.credentials.role, route)]
        try:
            answer = table[route](choose, person)
            done[route] += getattr(answer, "status", 200) < 300
            told = str(answer)
        except ClientError as error:
            told = str(error)
        # Some refusals have the status 500, as MLflow's clients expect.
        if "internal error occurred" in told:
            broken.append((route, told))

    def work(number):
        choose = random.Random(SEED * 10 + number)
        people = [Person(server.url, one) for one in credentials]
        last = []
        for step in range(STEPS):
            if broken:
                return
            ask(choose, choose.choice(people), *choose.choices(list(table), weights), last)
            if step % 20 == 0 and (found := escaped(people[-1], requests)):
                broken.append((found, last))

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(work, range(CLIENTS)))
    # Every request can do something, but for those that cannot. One that had no luck is asked until it has.
    choose, last = random.Random(SEED), []
    for _ in range(STEPS):
        idle = [route for route, times in done.items() if times == 0 and route not in IDLE]
        for route in [*idle, *choose.choices(list(table), k=3)] if idle else ():
            ask(choose, administrator, route, last)
    assert not broken, f"seed {SEED}: {broken}"
    assert escaped(administrator, requests) == [], f"seed {SEED}"
    assert ever_escaped(administrator, requests) == [], f"seed {SEED}"
    assert not idle, f"seed {SEED}: {done}"


def test_a_new_name_takes_no_model_out_of_its_gates(guarded, name):
    server, credentials = guarded
    people = {one.role: Person(server.url, one) for one in credentials}
    contributor, administrator = people["contributor"], people["administrator"]
    rules = [{"tag": {"key": "ticket"}}]
    gate = {"name": f"{name}-g", "models": f"{name}m*", "target": {"stage": "production"}, "rules": rules}
    assert administrator.native("POST", "gates", gate).status == 200
    assert administrator.mlflow("POST", "registered-models/create", {"name": f"{name}m"}).status == 200

    def rename(person, old, new):
        return person.mlflow("POST", "registered-models/rename", {"name": old, "new_name": new})

    refused = rename(contributor, f"{name}m", f"{name}other")
    assert refused.status == 403 and f"gate '{name}-g'" in refused.json()["message"], refused
    assert rename(contributor, f"{name}m", f"{name}m2").status == 200
    assert rename(administrator, f"{name}m2", f"{name}other").status == 200


def test_a_stage_by_any_other_case_is_the_stage(guarded, name):
    server, credentials = guarded
    administrator = Person(server.url, next(one for one in credentials if one.role == "administrator"))
    gate = {"name": f"{name}-g", "models": name, "target": {"stage": "production"}, "rules": [{"tag": {"key": "t"}}]}
    assert administrator.native("POST", "gates", gate).status == 200
    assert administrator.mlflow("POST", "registered-models/create", {"name": name}).status == 200
    assert administrator.mlflow("POST", "model-versions/create", {"name": name, "source": "s3://b/m"}).status == 200
    alias = {"name": name, "alias": "Production", "version": "1"}
    assert "rule tag" in administrator.mlflow("POST", "registered-models/alias", alias).json()["message"]
    tag = {"name": name, "version": "1", "key": "t", "value": "1"}
    assert administrator.mlflow("POST", "model-versions/set-tag", tag).status == 200
    assert administrator.mlflow("POST", "registered-models/alias", alias).status == 200
    version = administrator.native("GET", f"models/{name}/versions/1").json()
    assert (version["stage"], version["aliases"]) == ("production", ["production"])
