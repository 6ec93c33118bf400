"""Print what CloudFormation makes of a SAM template; runs in the tools' Python."""

import json
import sys
from pathlib import Path

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

template = yaml_parse(Path(sys.argv[1]).read_text())
for resource in template["Resources"].values():
    # As `sam deploy` does once it has uploaded the code.
    if resource["Type"] == "AWS::Serverless::Function":
        code = resource["Properties"]["CodeUri"]
        resource["Properties"]["CodeUri"] = {"Bucket": "code", "Key": code}
session = boto3.Session(region_name="us-east-1")
print(json.dumps(Translator({}, Parser(), boto_session=session).translate(template, {}), indent=2))
