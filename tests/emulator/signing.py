"""Requests that botocore signs, that are altered on their way, and that are checked."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

import botocore.auth
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from penstock.emulator.credentials import AccessKey, Credentials
from penstock.emulator.fronts.sigv4 import SignatureError, verify
from penstock.messages import Headers, Request

NOW = datetime(2026, 9, 15, 12, 0, 30, tzinfo=UTC)
KEY = AccessKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
TEMPORARY = AccessKey("ASIAEXAMPLE", "secret/2", "token+of/a=session==")
KEYS = Credentials((KEY, TEMPORARY))
HOST = "app.lambda-url.localhost:9000"

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your "
    "AWS Secret Access Key and signing method. Consult the service documentation for details."
)


def as_received(signed: AWSRequest) -> Request:
    """What arrives of a request that an HTTP client sends as botocore has signed it."""
    parts = urlsplit(signed.url)
    headers = list(signed.headers.items())
    if not any(name.lower() == "host" for name, _ in headers):
        headers.append(("Host", parts.netloc))
    return Request(
        method=signed.method,
        path=parts.path or "/",
        query=parts.query,
        headers=Headers(headers),
        body=signed.body or b"",
    )


def signed(
    method="GET",
    target="/",
    body=b"",
    headers=(),
    *,
    key=KEY,
    at=NOW,
    region="us-east-1",
    service="lambda",
    presigned_for=None,
) -> Request:
    credentials = BotocoreCredentials(key.id, key.secret, key.token)
    request = AWSRequest(method, f"http://{HOST}{target}", data=body)
    for name, value in headers:
        request.headers.add_header(name, value)
    if presigned_for is None:
        signer = SigV4Auth(credentials, service, region)
    else:
        signer = SigV4QueryAuth(credentials, service, region, expires=presigned_for)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda: at.replace(tzinfo=None))
        signer.add_auth(request)
    return as_received(request)


def altered(request: Request, **changes) -> Request:
    names = ("method", "path", "query", "headers", "body")
    return Request(**{name: changes.get(name, getattr(request, name)) for name in names})


def with_header(request: Request, name: str, value: str | None) -> Request:
    kept = [(n, v) for n, v in request.headers if n.lower() != name.lower()]
    return altered(request, headers=Headers(kept + ([] if value is None else [(name, value)])))


def check(request: Request, *, region="us-east-1", now=NOW) -> AccessKey:
    return verify(request, KEYS, region=region, now=now)


def refusal(request: Request, **options) -> SignatureError:
    with pytest.raises(SignatureError) as caught:
        check(request, **options)
    assert KEY.secret not in f"{caught.value} {caught.value.hint}"
    return caught.value
