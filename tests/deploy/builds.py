"""Each example of examples/deploy, built with its own tool."""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

from .store import Store
from .template import Template
from .tools import Workshop

# The commands of docs/how-to/deploy.md.
BUILD = [
    "pip install --upgrade --target build -r function/requirements.txt",
    "cp function/app.py build",
]
PACKAGE = (
    "aws cloudformation package --template-file template.yaml --s3-bucket my-bucket "
    "--output-template-file packaged.yaml"
)
COMMANDS = {
    "sam": ["sam validate --lint", "sam build"],
    "cdk": [*BUILD, "cdk synth --quiet"],
    "serverless": [*BUILD, "penstock package build -o function.zip", "osls package"],
    "cloudformation": [*BUILD, PACKAGE],
}


@dataclass(frozen=True)
class Deployment:
    """What a tool would deploy: a template, and the folder of its function's code."""

    template: Template
    code: Path


def build_sam(workshop: Workshop, folder: Path) -> Deployment:
    for command in COMMANDS["sam"]:
        workshop.run(command, folder)
    built = folder / ".aws-sam/build"
    template = transform(workshop, built / "template.yaml")
    name, function = template.only("AWS::Lambda::Function")
    assert function["Code"] == {"S3Bucket": "code", "S3Key": name}
    return Deployment(template, built / name)


def transform(workshop: Workshop, source: Path) -> Template:
    """What CloudFormation would make of SAM's template."""
    script = Path(__file__).with_name("sam_transform.py")
    file = source.with_name("transformed.json")
    file.write_text(workshop.run(f"python3 {script} {source}", source.parent))
    return Template(file)


def build_cdk(workshop: Workshop, folder: Path) -> Deployment:
    for command in COMMANDS["cdk"]:
        workshop.run(command, folder)
    (file,) = folder.glob("cdk.out/*.template.json")
    template = Template(file)
    _, function = template.only("AWS::Lambda::Function")
    assets = json.loads(file.with_name(file.name.replace(".template.", ".assets.")).read_text())
    key = Path(function["Code"]["S3Key"]).stem
    return Deployment(template, file.parent / assets["files"][key]["source"]["path"])


def build_serverless(workshop: Workshop, folder: Path) -> Deployment:
    for command in COMMANDS["serverless"]:
        workshop.run(command, folder)
    file = folder / ".serverless/cloudformation-template-update-stack.json"
    template = Template(file)
    _, function = template.only("AWS::Lambda::Function")
    archive = folder / Path(function["Code"]["S3Key"]).name
    _, version = template.only("AWS::Lambda::Version")
    digest = hashlib.sha256(archive.read_bytes()).digest()
    assert version["CodeSha256"] == base64.b64encode(digest).decode()
    return Deployment(template, unpacked(archive))


def build_cloudformation(workshop: Workshop, folder: Path) -> Deployment:
    with Store() as store:
        for command in COMMANDS["cloudformation"]:
            workshop.run(command, folder, **store.environment)
    file = folder / "packaged.yaml"
    parse = "import json, yaml; print(json.dumps(yaml.safe_load(open('packaged.yaml'))))"
    template = Template(file, json.loads(workshop.python(parse, folder)))
    _, function = template.only("AWS::Lambda::Function")
    archive = folder / "uploaded.zip"
    archive.write_bytes(store.objects[f"/my-bucket/{function['Code']['S3Key']}"])
    return Deployment(template, unpacked(archive))


def unpacked(archive: Path) -> Path:
    folder = archive.with_name("unpacked")
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    return folder


BUILDERS = {
    "sam": build_sam,
    "cdk": build_cdk,
    "serverless": build_serverless,
    "cloudformation": build_cloudformation,
}
