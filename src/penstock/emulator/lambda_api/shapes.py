"""What requests of each operation look like: the API's model, where the emulator heeds it.

Source: botocore's model (lambda/2015-03-31/service-2.json); a longest timeout of 900 seconds
and 10240 MB of memory are from Lambda's quotas, for functions that run on demand.
"""

from __future__ import annotations

from typing import Final

from .. import limits
from .validation import Flag, Number, Pairs, Several, Shape, Structure, Text

_REGION = r"(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}"
_FUNCTION = rf"(arn:(aws[a-zA-Z-]*)?:lambda:)?({_REGION}:)?(\d{{12}}:)?(function:)?"
_LAYER = rf"arn:(aws[a-zA-Z-]*)?:lambda:{_REGION}:\d{{12}}:layer:"

_NAME = Text(rf"{_FUNCTION}([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?", 1, 140)
#: A function, in whatever way it is written.
ANY_NAME = Text(
    rf"{_FUNCTION}([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?", 1, 256
)
_URL_NAME = Text(rf"{_FUNCTION}([a-zA-Z0-9-_]{{1,64}})(:((?!\d+$)[0-9a-zA-Z-_]+))?", 1, 140)
#: A version or an alias.
QUALIFIER = Text(r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+", 1, 128)
_URL_QUALIFIER = Text(r"((?!^\d+$)^[0-9a-zA-Z-_]+$)", 1, 128)
_ALIAS = Text(r"(?!^[0-9]+$)([a-zA-Z0-9-_]+)", 1, 128)
_VERSION = Text(r"(\$LATEST(\.PUBLISHED)?|[0-9]+)", 1, 1024)
_DESCRIPTION = Text(longest=256)
_ARCHITECTURE = Text(values=("x86_64", "arm64"))
_AUTH_TYPE = Text(values=("NONE", "AWS_IAM"))
_INVOKE_MODE = Text(values=("BUFFERED", "RESPONSE_STREAM"))
_LAYER_VERSION = Text(
    rf"({_LAYER}[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)",
    1,
    2048,
)
_LAYER_NAME = Text(rf"({_LAYER}[a-zA-Z0-9-_]{{1,140}}|[a-zA-Z0-9-_]{{1,140}})", 1, 2048)
_RESOURCE = Text(
    rf"arn:(aws[a-zA-Z-]*):lambda:{_REGION}:\d{{12}}:(function:[a-zA-Z0-9-_]+"
    r"(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|"
    r"code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}"
    r"-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)",
    1,
    10000,
)
_PAGE: dict[str, Shape] = {"Marker": Text(), "MaxItems": Number(1, 10000)}
_SMALL_PAGE: dict[str, Shape] = {"Marker": Text(), "MaxItems": Number(1, 50)}
_DESTINATION = Structure(
    {
        "Destination": Text(
            # A file is ours.
            r"$|file:.*|kafka://([^.]([a-zA-Z0-9\-_.]{0,248}))|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:"
            rf"({_REGION})?:(\d{{12}})?:(.*)",
            0,
            350,
        )
    }
)
# It goes into a header.
_LINE = r"[ -~]*"
_CORS = Structure(
    {
        "AllowCredentials": Flag(),
        "AllowHeaders": Several(Text(_LINE, longest=1024), 100),
        "AllowMethods": Several(Text(_LINE, longest=6), 6),
        "AllowOrigins": Several(Text(_LINE, shortest=1, longest=253), 100),
        "ExposeHeaders": Several(Text(_LINE, longest=1024), 100),
        "MaxAge": Number(0, 86400),
    }
)
_CODE: dict[str, Shape] = {
    "ZipFile": Text(),
    "S3Bucket": Text(),
    "S3Key": Text(),
    "ImageUri": Text(),
}
_CONFIGURATION: dict[str, Shape] = {
    "Role": Text(r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+", 0, 10000),
    "Runtime": Text(),
    "Handler": Text(r"[^\s]+", 0, 128),
    "Description": _DESCRIPTION,
    "Timeout": Number(1, limits.FUNCTION_TIMEOUT),
    "MemorySize": Number(128, 10240),
    "Environment": Structure({"Variables": Pairs(Text(r"[a-zA-Z]([a-zA-Z0-9_])+"), Text())}),
    "TracingConfig": Structure({"Mode": Text(values=("Active", "PassThrough"))}),
    "Layers": Several(_LAYER_VERSION),
    "EphemeralStorage": Structure({"Size": Number(512, 10240)}, ("Size",)),
    "SnapStart": Structure({"ApplyOn": Text(values=("PublishedVersions", "None"))}),
    "LoggingConfig": Structure(
        {
            "LogFormat": Text(values=("JSON", "Text")),
            "ApplicationLogLevel": Text(
                values=("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
            ),
            "SystemLogLevel": Text(values=("DEBUG", "INFO", "WARN")),
            "LogGroup": Text(r"[\.\-_/#A-Za-z0-9]+", 1, 512),
        }
    ),
    "KMSKeyArn": Text(r"(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()", 0, 10000),
    "DeadLetterConfig": Structure({"TargetArn": Text()}),
    "VpcConfig": Structure(
        {
            "SubnetIds": Several(Text(r"subnet-[0-9a-z]*", 0, 1024), 16),
            "SecurityGroupIds": Several(Text(r"sg-[0-9a-zA-Z]*", 0, 1024), 5),
            "Ipv6AllowedForDualStack": Flag(),
        }
    ),
}
_ROUTING = Structure(
    {"AdditionalVersionWeights": Pairs(Text(r"[0-9]+", 1, 1024), Number(0.0, 1.0, is_float=True))}
)
_EVENT_INVOKE: dict[str, Shape] = {
    "MaximumRetryAttempts": Number(0, 2),
    "MaximumEventAgeInSeconds": Number(60, 21600),
    "DestinationConfig": Structure({"OnSuccess": _DESTINATION, "OnFailure": _DESTINATION}),
}
_COMPATIBLE: dict[str, Shape] = {
    "CompatibleRuntime": Text(),
    "CompatibleArchitecture": _ARCHITECTURE,
}


def _of(name: Text, members: dict[str, Shape] | None = None, *required: str) -> Structure:
    return Structure({"FunctionName": name, **(members or {})}, ("FunctionName", *required))


def _of_qualified(members: dict[str, Shape] | None = None, *required: str) -> Structure:
    return _of(ANY_NAME, {"Qualifier": QUALIFIER, **(members or {})}, *required)


def _of_url(members: dict[str, Shape] | None = None, *required: str) -> Structure:
    return _of(_URL_NAME, {"Qualifier": _URL_QUALIFIER, **(members or {})}, *required)


_URL: dict[str, Shape] = {"AuthType": _AUTH_TYPE, "Cors": _CORS, "InvokeMode": _INVOKE_MODE}

#: By operation.
REQUESTS: Final[dict[str, Structure]] = {
    "CreateFunction": _of(
        _NAME,
        {
            **_CONFIGURATION,
            "Code": Structure(_CODE),
            "Publish": Flag(),
            "PackageType": Text(values=("Zip", "Image")),
            "Architectures": Several(_ARCHITECTURE, 1, 1),
            "Tags": Pairs(Text(shortest=1, longest=128), Text(longest=256)),
        },
        "Code",
        "Role",
    ),
    "UpdateFunctionCode": _of(
        _NAME,
        {
            **_CODE,
            "Publish": Flag(),
            "DryRun": Flag(),
            "RevisionId": Text(),
            "Architectures": Several(_ARCHITECTURE, 1, 1),
        },
    ),
    "UpdateFunctionConfiguration": _of(_NAME, {**_CONFIGURATION, "RevisionId": Text()}),
    "ListFunctions": Structure({"FunctionVersion": Text(values=("ALL",)), **_PAGE}),
    "GetFunction": _of_qualified(),
    "GetFunctionConfiguration": _of_qualified(),
    "DeleteFunction": _of_qualified(),
    "PublishVersion": _of(
        _NAME, {"CodeSha256": Text(), "Description": _DESCRIPTION, "RevisionId": Text()}
    ),
    "ListVersionsByFunction": _of(ANY_NAME, _PAGE),
    "CreateAlias": _of(
        _NAME,
        {
            "Name": _ALIAS,
            "FunctionVersion": _VERSION,
            "Description": _DESCRIPTION,
            "RoutingConfig": _ROUTING,
        },
        "Name",
        "FunctionVersion",
    ),
    "UpdateAlias": _of(
        _NAME,
        {
            "Name": _ALIAS,
            "FunctionVersion": _VERSION,
            "Description": _DESCRIPTION,
            "RoutingConfig": _ROUTING,
            "RevisionId": Text(),
        },
    ),
    "GetAlias": _of(_NAME, {"Name": _ALIAS}),
    "DeleteAlias": _of(_NAME, {"Name": _ALIAS}),
    "ListAliases": _of(_NAME, {"FunctionVersion": _VERSION, **_PAGE}),
    "CreateFunctionUrlConfig": _of_url(_URL, "AuthType"),
    "UpdateFunctionUrlConfig": _of_url(_URL),
    "GetFunctionUrlConfig": _of_url(),
    "DeleteFunctionUrlConfig": _of_url(),
    "ListFunctionUrlConfigs": _of(_URL_NAME, _SMALL_PAGE),
    "AddPermission": _of_qualified(
        {
            "StatementId": Text(r"([a-zA-Z0-9-_]+)", 1, 100),
            "Action": Text(r"(lambda:[*]|lambda:[a-zA-Z]+|[*])", 0, 10000),
            "Principal": Text(r"[^\s]+", 0, 2048),
            "SourceArn": Text(
                rf"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:({_REGION})?:(\d{{12}})?:(.*)", 0, 10000
            ),
            "SourceAccount": Text(r"\d{12}", 0, 12),
            "PrincipalOrgID": Text(r"o-[a-z0-9]{10,32}", 12, 34),
            "FunctionUrlAuthType": _AUTH_TYPE,
            "InvokedViaFunctionUrl": Flag(),
            "EventSourceToken": Text(r"[a-zA-Z0-9._\-]+", 0, 256),
            "RevisionId": Text(),
        },
        "StatementId",
        "Action",
        "Principal",
    ),
    "GetPolicy": _of_qualified(),
    "RemovePermission": _of_qualified(
        {"StatementId": Text(r"([a-zA-Z0-9-_.]+)", 1, 100), "RevisionId": Text()}
    ),
    "PutFunctionConcurrency": _of(
        _NAME, {"ReservedConcurrentExecutions": Number(0)}, "ReservedConcurrentExecutions"
    ),
    "GetFunctionConcurrency": _of(_NAME),
    "DeleteFunctionConcurrency": _of(_NAME),
    "PutFunctionEventInvokeConfig": _of_qualified(_EVENT_INVOKE),
    "UpdateFunctionEventInvokeConfig": _of_qualified(_EVENT_INVOKE),
    "GetFunctionEventInvokeConfig": _of_qualified(),
    "DeleteFunctionEventInvokeConfig": _of_qualified(),
    "ListFunctionEventInvokeConfigs": _of(ANY_NAME, _SMALL_PAGE),
    "GetAccountSettings": Structure({}),
    "ListTags": Structure({"Resource": _RESOURCE}, ("Resource",)),
    "TagResource": Structure(
        {"Resource": _RESOURCE, "Tags": Pairs(Text(shortest=1, longest=128), Text(longest=256))},
        ("Resource", "Tags"),
    ),
    "UntagResource": Structure(
        {"Resource": _RESOURCE, "TagKeys": Several(Text(shortest=1, longest=128))},
        ("Resource", "TagKeys"),
    ),
    "PublishLayerVersion": Structure(
        {
            "LayerName": _LAYER_NAME,
            "Description": _DESCRIPTION,
            "Content": Structure({"ZipFile": Text(), "S3Bucket": Text(), "S3Key": Text()}),
            "CompatibleArchitectures": Several(_ARCHITECTURE, 2),
            "CompatibleRuntimes": Several(Text(), 15),
            "LicenseInfo": Text(longest=512),
        },
        ("LayerName", "Content"),
    ),
    "GetLayerVersion": Structure({"LayerName": _LAYER_NAME, "VersionNumber": Number()}),
    "GetLayerVersionByArn": Structure({"Arn": _LAYER_VERSION}, ("Arn",)),
    "DeleteLayerVersion": Structure({"LayerName": _LAYER_NAME, "VersionNumber": Number()}),
    "ListLayers": Structure({**_COMPATIBLE, **_SMALL_PAGE}),
    "ListLayerVersions": Structure({"LayerName": _LAYER_NAME, **_COMPATIBLE, **_SMALL_PAGE}),
}
