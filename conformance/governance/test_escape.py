"""Nobody gets a version around its gates: random requests through every script, many at a time."""

import os
import random
import threading
import time

from botocore.exceptions import ClientError
from mlflow.exceptions import MlflowException

SECONDS = float(os.environ.get("STELE_ESCAPE_SECONDS", "15"))
SEED = int(os.environ.get("STELE_ESCAPE_SEED", "7"))
THREADS = 6


def moves(native, client, sm, models, free):
    """Every request that makes, moves, marks, renames or deletes models and versions."""

    def pick(random):
        return random.choice(models), str(random.randint(1, 4))

    def stage(random):
        return random.choice(["Production", "Staging", "Archived", "None"])

    def alias(random):
        return random.choice(["production", "champion", "staging", "archived", "other"])

    def arn(model, version):
        return f"arn:aws:sagemaker:eu-west-1:000000000000:model-package/{model}/{version}"

    def life(random):
        return {"Stage": stage(random), "StageStatus": "x"}

    def approval(random):
        return random.choice(["Approved", "Rejected", "PendingManualApproval"])

    def new(random):
        return client.create_model_version(
            pick(random)[0], "s3://b/m", tags={"stele": "x", "current_stage": "Production"}
        )

    def rename(random):
        one, other = random.sample([*models, *free], 2)
        return client.rename_registered_model(one, other)

    def transition(random):
        to = stage(random)
        # Archiving the others of an inactive stage is an error of MLflow's that its client asks for again and again.
        archive = to in ("Production", "Staging") and random.random() < 0.5
        return client.transition_model_version_stage(*pick(random), to, archive)

    def produce_free(random):
        name = random.choice(free)
        try:
            client.create_registered_model(name)
        except MlflowException:
            pass
        version = client.create_model_version(name, "s3://b/m").version
        client.transition_model_version_stage(name, version, "Production", True)
        client.set_registered_model_alias(name, "champion", version)

    return [
        new,
        rename,
        produce_free,
        lambda r: client.create_registered_model(r.choice(models)),
        lambda r: r.random() < 0.1 and client.delete_registered_model(r.choice(models)),
        lambda r: client.delete_model_version(*pick(r)),
        transition,
        lambda r: client.set_registered_model_alias(pick(r)[0], alias(r), r.randint(1, 4)),
        lambda r: client.delete_registered_model_alias(pick(r)[0], alias(r)),
        lambda r: client.set_model_version_tag(*pick(r), r.choice(["stele.approval", "stage", "a"]), "approved"),
        lambda r: client.set_registered_model_tag(pick(r)[0], "stele.stage", "production"),
        lambda r: client.update_model_version(*pick(r), "text"),
        lambda r: sm.create_model_package_group(ModelPackageGroupName=r.choice(models)),
        lambda r: sm.create_model_package(ModelPackageGroupName=pick(r)[0], ModelApprovalStatus=approval(r)),
        lambda r: sm.create_model_package(ModelPackageGroupName=pick(r)[0], ModelLifeCycle=life(r)),
        lambda r: sm.update_model_package(ModelPackageArn=arn(*pick(r)), ModelApprovalStatus=approval(r)),
        lambda r: sm.update_model_package(ModelPackageArn=arn(*pick(r)), ModelLifeCycle=life(r)),
        lambda r: sm.delete_model_package(ModelPackageName=arn(*pick(r))),
        lambda r: native(
            "PUT", "models/{}/versions/{}/stage".format(*pick(r)), {"stage": stage(r).lower(), "archive_others": True}
        ),
        lambda r: native("PUT", f"models/{pick(r)[0]}/aliases/{alias(r)}", {"version": r.randint(1, 4)}),
        lambda r: native("DELETE", f"models/{pick(r)[0]}/aliases/{alias(r)}"),
        lambda r: native(
            "POST",
            "models/{}/versions/{}/reviews".format(*pick(r)),
            {"review": r.choice(["approve", "reject", "withdraw", "request"]), "reason": "x"},
        ),
        lambda r: native(
            "POST", "models/{}/versions/{}/evaluations".format(*pick(r)), {"digest": "d", "metrics": {"auc": 0.1}}
        ),
    ]


def escaped(native, client, models):
    """What is where no version may be."""
    found = []
    for model in models:
        status, answer = native("GET", f"models/{model}/versions")
        if status != 200:
            continue
        for version in answer["versions"]:
            what = (version["stage"], version["approval"], version["aliases"])
            if version["stage"] == "production" or version["approval"] == "approved" or "champion" in version["aliases"]:
                found.append((model, version["version"], what))
    return found


def test_no_request_gets_a_version_around_its_gates(native, mlflow_client, sm, name):
    models, free = [f"{name}m1", f"{name}m2"], [f"{name}f1", f"{name}f2"]
    # Nothing that the requests below do fulfils these.
    rules = ({"approvals": {"quorum": 1}}, {"tag": {"key": "never", "value": "ever"}})
    for target in ({"stage": "production"}, {"alias": "champion"}, {"approval": "approved"}):
        native.gate(f"{name}-{next(iter(target))}", f"{name}m*", target, *rules)
    for model in models:
        mlflow_client.create_registered_model(model)
        mlflow_client.create_model_version(model, "s3://b/m")
    requests = moves(native, mlflow_client, sm, models, free)
    deadline = time.monotonic() + SECONDS
    broken, answered = [], [0] * len(requests)

    def work(seed):
        choose = random.Random(seed)
        while time.monotonic() < deadline and not broken:
            which = choose.randrange(len(requests))
            try:
                requests[which](choose)
                answered[which] += 1
            except (MlflowException, ClientError) as error:
                if "internal error" in str(error).lower() or "too many 500" in str(error):
                    broken.append(str(error))
            if choose.random() < 0.1:
                broken.extend(escaped(native, mlflow_client, models))

    threads = [threading.Thread(target=work, args=(SEED * 1000 + number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not broken, f"seed {SEED}: {broken}"
    assert escaped(native, mlflow_client, models) == []
    # The requests did something.
    assert sum(answered) > 20, answered
