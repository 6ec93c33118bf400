"""S3.

Source: AWS documentation, "Event message structure" of Amazon S3.
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64encode
from typing import Any
from urllib.parse import quote_plus

from .common import REGION, iso


def s3(
    key: str,
    *,
    bucket: str = "bucket",
    event_name: str = "ObjectCreated:Put",
    content: bytes = b"",
    version_id: str | None = None,
    region: str = REGION,
) -> dict[str, Any]:
    """The event of what happened to one object of a bucket.

    `key` is written as S3 does it, encoded as in a URL: `red flower.jpg` is there
    `red+flower.jpg`. Size and ETag are those of `content`; what was removed has none.
    """
    made: dict[str, Any] = {"key": quote_plus(key, safe="/*")}
    if not event_name.startswith("ObjectRemoved:"):
        made["size"] = len(content)
        made["eTag"] = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if version_id is not None:
        made["versionId"] = version_id
    made["sequencer"] = f"00{secrets.token_hex(8).upper()}"
    return {
        "Records": [
            {
                "eventVersion": "2.5",
                "eventSource": "aws:s3",
                "awsRegion": region,
                "eventTime": iso(),
                "eventName": event_name,
                "userIdentity": {"principalId": "AWS:AIDAINPONIXQXHT3IKHL2"},
                "requestParameters": {"sourceIPAddress": "192.0.2.1"},
                "responseElements": {
                    "x-amz-request-id": secrets.token_hex(8).upper(),
                    "x-amz-id-2": b64encode(secrets.token_bytes(57)).decode(),
                },
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "notify-function",
                    "bucket": {
                        "name": bucket,
                        "ownerIdentity": {"principalId": "A3I5XTEXAMAI3E"},
                        "arn": f"arn:aws:s3:::{bucket}",
                    },
                    "object": made,
                },
            }
        ]
    }
