#!/usr/bin/env python3
"""Writes src/service.json: the shapes of the operations that this server offers, one shape a line.

The published description of the services ships in PyPI's botocore (Apache-2.0, Copyright Amazon.com, Inc. or its
affiliates); `service.json` is a compact extract of it. Install the pinned version and run:

    pip install botocore==1.44.5
    python crates/sagemaker/tools/describe.py
"""

import gzip
import json
import re
from pathlib import Path

import botocore

VERSION = "1.44.5"
ROOT = Path(botocore.__file__).parent / "data"
HERE = Path(__file__).parent.parent / "src"

# Patterns that a matcher without look-around cannot read, or that repeat a wide class so often that they take
# megabytes to compile, and what they accept together with the bounds on the length.
EQUIVALENTS = {
    r"(?<!-)": "",
    r"([a-zA-Z0-9]([a-zA-Z0-9-]){0,62})": r"([a-zA-Z0-9](-*[a-zA-Z0-9]){0,62})",
    r"/(?!.*\.\.)[a-zA-Z0-9/_.\-]+": r"/[a-zA-Z0-9/_\-]*(\.[a-zA-Z0-9/_\-]+)*\.?",
    r"[\p{L}\p{M}\p{Z}\p{N}\p{P}]{0,1024}": r"[\p{L}\p{M}\p{Z}\p{N}\p{P}]*",
    r".{0,1024}": ".*",
    r"[\S]{1,2048}": r"\S+",
    r"*)${1,128}": "*)",
    r"*)${1,256}": "*)",
    r"\/": "/",
}


def operations():
    """The operations in the table of src/operations.rs."""
    table = (HERE / "operations.rs").read_text()
    return sorted(set(re.findall(r'^\s+"([A-Za-z]+)" => ', table, re.M)))


def matchable(pattern):
    for old, new in EQUIVALENTS.items():
        pattern = pattern.replace(old, new)
    return pattern


class Service:
    def __init__(self, path, prefix):
        self.model = json.loads(gzip.decompress((ROOT / path / "service-2.json.gz").read_bytes()))
        self.prefix = prefix
        self.shapes = {}

    def name(self, shape):
        return self.prefix + shape

    def add(self, name):
        if self.name(name) in self.shapes:
            return
        shape = self.model["shapes"][name]
        compact = {"type": shape["type"]}
        self.shapes[self.name(name)] = compact
        for key in ("min", "max", "enum", "pattern"):
            if key in shape:
                compact[key] = shape[key]
        if matchable(compact.get("pattern", "")) != compact.get("pattern", ""):
            compact["match"] = matchable(compact["pattern"])
        if shape.get("required"):
            compact["required"] = shape["required"]
        for key in ("member", "key", "value"):
            if key in shape:
                compact[key] = self.name(shape[key]["shape"])
                self.add(shape[key]["shape"])
        if "members" in shape:
            compact["members"] = {member: self.name(to["shape"]) for member, to in shape["members"].items()}
            for to in shape["members"].values():
                self.add(to["shape"])

    def operation(self, name):
        operation = self.model["operations"][name]
        members = self.model["shapes"][operation["input"]["shape"]]["members"]
        self.add(operation["input"]["shape"])
        described = {"input": self.name(operation["input"]["shape"])}
        if "output" in operation:
            output = self.model["shapes"][operation["output"]["shape"]]
            described["output"] = list(output["members"])
        for member in ("SortBy", "SortOrder"):
            found = re.search(r"default is <code>(\w+)", members.get(member, {}).get("documentation", ""))
            if found:
                described[member] = found[1]
        return described

    def view(self, name):
        return list(self.model["shapes"][name]["members"])


VIEWS = """ModelPackageGroupSummary ModelPackageSummary ModelSummary ModelCardSummary ModelCardVersionSummary
    ExperimentSummary TrialSummary TrialComponentSummary ArtifactSummary ActionSummary ContextSummary
    ModelPackage ModelPackageGroup TrialComponent Trial Experiment ModelCard Model
    BatchDescribeModelPackageSummary ModelCardExportJobSummary""".split()


def main():
    if botocore.__version__ != VERSION:
        raise SystemExit(f"expected botocore {VERSION}, found {botocore.__version__}")
    control = Service("sagemaker/2017-07-24", "")
    metrics = Service("sagemaker-metrics/2022-09-30", "Metrics.")
    described = {}
    for name in operations():
        service = control if name in control.model["operations"] else metrics
        described[name] = service.operation(name)
    views = {name: control.view(name) for name in VIEWS}
    # A walk may begin at a model package too, which the record knows the origins of.
    arn = control.shapes["AssociationEntityArn"]
    start = {"match": arn["pattern"].replace("|context)", "|context|model-package)")}
    control.shapes["QueryLineageStartArn"] = arn | start
    control.shapes["QueryLineageStartArns"]["member"] = "QueryLineageStartArn"
    sections = {"operations": described, "views": views, "shapes": control.shapes | metrics.shapes}
    lines = ["{"]
    lines.append(f'"source": "botocore {VERSION}, data/sagemaker and data/sagemaker-metrics; Apache-2.0, '
                 'Copyright Amazon.com, Inc. or its affiliates; extracted by tools/describe.py",')
    for title, entries in sections.items():
        lines.append(f"{json.dumps(title)}: {{")
        rows = [f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in sorted(entries.items())]
        lines.append(",\n".join(rows))
        lines.append("}," if title != "shapes" else "}")
    lines.append("}")
    (HERE / "service.json").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
