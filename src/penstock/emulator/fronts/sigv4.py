"""AWS Signature Version 4, as a service checks it: in a header, or in a presigned query.

Sources: AWS documentation, "Create a signed AWS API request" and "Troubleshoot signed
requests"; the texts and their order as users and other projects have recorded them of AWS's
services (for Lambda itself: a wrong signature, an expired one, an unknown key).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote_from_bytes, unquote_to_bytes

from ...messages import Request
from ..credentials import AccessKey, Credentials

ALGORITHM = "AWS4-HMAC-SHA256"

#: The type of the error for a request that does not claim to be signed.
NOT_SIGNED = "MissingAuthenticationTokenException"

_SKEW = timedelta(minutes=5)
_LONGEST_EXPIRY = 7 * 24 * 3600
_TERMINATOR = "aws4_request"
_DATE = "%Y%m%dT%H%M%SZ"

_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your "
    "AWS Secret Access Key and signing method. Consult the service documentation for details."
)
_INVALID_TOKEN = "The security token included in the request is invalid."  # noqa: S105 - a text


class SignatureError(Exception):
    """A request is not signed as it must be.

    `error_type` and `message` are AWS's; `hint` is for the log, and has no secret in it.
    """

    def __init__(self, error_type: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class _Claim:
    """What a request says of its signature; texts as sent, `None` for what is missing."""

    algorithm: str
    credential: str | None
    signed_headers: str | None
    signature: str | None
    date: str | None
    token: str | None
    expires: str | None = None
    is_presigned: bool = False


def verify(
    request: Request,
    credentials: Credentials,
    *,
    region: str,
    now: datetime,
    service: str = "lambda",
) -> AccessKey:
    """The key that `request` is signed with, for this service and region, at this time.

    `now` knows its time zone. The body is always part of what is signed: Lambda takes no
    unsigned payloads (CloudFront documentation, on origin access control).

    Raises:
        SignatureError: it is not signed, or not as it must be.
    """
    claim = _claim(request)
    if claim is None:
        raise SignatureError(
            NOT_SIGNED,
            "Missing Authentication Token",
            "it has neither an Authorization header that begins with AWS4-HMAC-SHA256 nor a "
            "presigned query",
        )
    credential, signed_headers, signature, date = _whole(claim, request)
    at = _time(date)
    _check_age(claim, date, at, now)
    names = [name.lower() for name in signed_headers.split(";")]
    if "host" not in names:
        raise _invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    if claim.algorithm != ALGORITHM:
        raise _incomplete(
            f"Unsupported AWS 'algorithm': '{claim.algorithm}' (only AWS4-HMAC-SHA256 for now). "
        )
    key_id, scope = _scope(credential, date=at.strftime(_DATE), region=region, service=service)
    key = credentials.find(key_id)
    if key is None:
        known = ", ".join(each.id for each in credentials.keys)
        raise SignatureError(
            "UnrecognizedClientException",
            _INVALID_TOKEN,
            f"the access key {key_id!r} is not known here; known are {known}; others are named "
            "with --credentials ID:SECRET",
        )
    stamp = at.strftime(_DATE)
    for query in _canonical_queries(request.query, claim):
        canonical = _canonical_request(request, names, query)
        expected = _signature(key.secret, scope, stamp, canonical)
        if hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
            break
    else:
        raise _invalid(_MISMATCH, _why_not(request, names))
    _check_payload(request)
    if not hmac.compare_digest((claim.token or "").encode(), (key.token or "").encode()):
        raise SignatureError("UnrecognizedClientException", _INVALID_TOKEN, _about_token(claim))
    return key


def _claim(request: Request) -> _Claim | None:
    authorization = request.headers.get("authorization")
    if authorization is not None and authorization.lstrip().startswith("AWS4-"):
        return _claim_of_header(authorization.strip(), request)
    parameters = _parameters(request.query)
    algorithm = parameters.get("X-Amz-Algorithm")
    if authorization is not None or algorithm is None:
        return None
    return _Claim(
        algorithm=algorithm,
        credential=parameters.get("X-Amz-Credential"),
        signed_headers=parameters.get("X-Amz-SignedHeaders"),
        signature=parameters.get("X-Amz-Signature"),
        date=parameters.get("X-Amz-Date"),
        token=parameters.get("X-Amz-Security-Token"),
        expires=parameters.get("X-Amz-Expires"),
        is_presigned=True,
    )


def _claim_of_header(authorization: str, request: Request) -> _Claim:
    algorithm, _, rest = authorization.partition(" ")
    parts: dict[str, str] = {}
    for part in rest.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals:
            raise _incomplete(
                f"'{part.strip()}' not a valid key=value pair (missing equal-sign) in "
                f"Authorization header: '{authorization}'."
            )
        parts[name] = value.strip()
    return _Claim(
        algorithm=algorithm,
        credential=parts.get("Credential"),
        signed_headers=parts.get("SignedHeaders"),
        signature=parts.get("Signature"),
        date=request.headers.get("x-amz-date") or request.headers.get("date"),
        token=request.headers.get("x-amz-security-token"),
    )


def _parameters(query: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in query.split("&"))
    return {_decoded(name): _decoded(value) for name, _, value in pairs}


def _whole(claim: _Claim, request: Request) -> tuple[str, str, str, str]:
    """Credential, signed headers, signature and date, if all of them are there."""
    found = {
        "Credential": claim.credential,
        "Signature": claim.signature,
        "SignedHeaders": claim.signed_headers,
    }
    lacks = [name for name, value in found.items() if not value]
    if claim.is_presigned:
        lacks += [n for n, v in (("Date", claim.date), ("Expires", claim.expires)) if not v]
        texts = [f"AWS query-string parameters must include 'X-Amz-{name}'. " for name in lacks]
        end = "Re-examine the query-string parameters."
    else:
        texts = [f"Authorization header requires '{name}' parameter. " for name in lacks]
        if not claim.date:
            texts.append(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' "
                "header. "
            )
        end = f"Authorization={request.headers.get('authorization')}"
    if texts:
        raise _incomplete("".join(texts) + end)
    return (
        claim.credential or "",
        claim.signed_headers or "",
        claim.signature or "",
        claim.date or "",
    )


def _time(text: str) -> datetime:
    try:
        if re.fullmatch(r"\d{8}T\d{6}Z", text, re.ASCII):
            return datetime.strptime(text, _DATE).replace(tzinfo=UTC)
        at = parsedate_to_datetime(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        # What the standard library's reader of dates raises, besides what it promises.
        raise _incomplete(
            f"Date must be in ISO-8601 'basic format'. Got '{text}'. "
            "See http://en.wikipedia.org/wiki/ISO_8601"
        ) from None


def _check_age(claim: _Claim, date: str, at: datetime, now: datetime) -> None:
    now = now.astimezone(UTC)
    valid = _SKEW
    if claim.expires is not None:
        if not re.fullmatch(r"\d{1,9}", claim.expires, re.ASCII):
            raise _incomplete(f"X-Amz-Expires should be a number, not '{claim.expires}'.")
        if not 1 <= int(claim.expires) <= _LONGEST_EXPIRY:
            raise _incomplete("X-Amz-Expires must be between 1 and 604800 seconds.")
        valid = timedelta(seconds=int(claim.expires))
    hint = f"it was signed at {date}, and it is {now:%Y%m%dT%H%M%SZ} here"
    if at < now - valid:
        raise _invalid(
            f"Signature expired: {at:{_DATE}} is now earlier than {now - valid:{_DATE}} "
            f"({now:{_DATE}} - {_length(valid)})",
            hint,
        )
    if at > now + _SKEW:
        raise _invalid(
            f"Signature not yet current: {at:{_DATE}} is still later than {now + _SKEW:{_DATE}} "
            f"({now:{_DATE}} + {_length(_SKEW)})",
            hint,
        )


def _length(time: timedelta) -> str:
    seconds = int(time.total_seconds())
    return f"{seconds} sec." if seconds % 60 else f"{seconds // 60} min."


def _scope(credential: str, *, date: str, region: str, service: str) -> tuple[str, str]:
    """The key's id, and the scope, if it is the right one."""
    parts = credential.rstrip("/").split("/")
    if len(parts) != 5:
        raise _incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. "
            f"keyid/date/region/service/term, got '{credential}'"
        )
    key_id, day, its_region, its_service, terminator = parts
    wrong = []
    if its_region != region:
        wrong.append(f"Credential should be scoped to a valid region, not '{its_region}'. ")
    if its_service != service:
        wrong.append(f"Credential should be scoped to correct service: '{service}'. ")
    if terminator != _TERMINATOR:
        wrong.append(
            "Credential should be scoped with a valid terminator: 'aws4_request', not "
            f"'{terminator}'. "
        )
    if day != date[:8]:
        wrong.append(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
            f"HTTP: '{day}' != '{date[:8]}', from '{date}'. "
        )
    if wrong:
        hint = f"it is for {its_region}/{its_service}, and here is {region}/{service}"
        if its_region != region:
            hint += "; the emulator's region is that of AWS_REGION"
        raise _invalid("".join(wrong), hint)
    return key_id, "/".join(parts[1:])


def _signature(secret: str, scope: str, stamp: str, canonical_request: bytes) -> str:
    digest = hashlib.sha256(canonical_request).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, f"{ALGORITHM}\n{stamp}\n{scope}\n{digest}".encode(), "sha256").hex()


def _canonical_request(request: Request, names: list[str], query: str) -> bytes:
    headers = "".join(f"{name}:{_header_value(request, name)}\n" for name in names)
    lines = [
        request.method,
        canonical_path(request.path),
        query,
        headers,
        ";".join(names),
        hashlib.sha256(request.body).hexdigest(),
    ]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def canonical_path(path: str) -> str:
    """The path without empty and dot segments, encoded once more than it was sent.

    So for every service but S3. ("Create a canonical request")
    """
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            segments[-1:] = []
        elif segment not in ("", "."):
            segments.append(segment)
    end = "/" if segments and path.endswith("/") else ""
    return quote_from_bytes(f"/{'/'.join(segments)}{end}".encode("latin-1", "replace"), safe="/~")


def _canonical_queries(query: str, claim: _Claim) -> list[str]:
    """The query in order, encoded in one way, without the signature.

    A plus sign is a blank to AWS, as far as is known; AWS's own signer for Python leaves it
    as it is, so both are taken.
    """
    pairs = []
    for part in query.split("&"):
        name, _, value = part.partition("=")
        # Only the one that is checked: another beside it was not signed.
        is_signature = claim.is_presigned and _decoded(name) == "X-Amz-Signature"
        if part and not (is_signature and _decoded(value) == claim.signature):
            pairs.append((_encoded(name), _encoded(value)))
    canonical = "&".join(f"{name}={value}" for name, value in sorted(pairs))
    blank = [(name.replace("+", "%20"), value.replace("+", "%20")) for name, value in pairs]
    spaced = "&".join(f"{name}={value}" for name, value in sorted(blank))
    return [spaced] if spaced == canonical else [spaced, canonical]


def _encoded(text: str) -> str:
    """Percent-encoded in the one right way; a literal plus sign stays."""
    parts = (unquote_to_bytes(part.encode("latin-1", "replace")) for part in text.split("+"))
    return "+".join(quote_from_bytes(part, safe="-_.~") for part in parts)


def _decoded(text: str) -> str:
    return unquote_to_bytes(text.encode("latin-1", "replace")).decode("utf-8", "replace")


def _header_value(request: Request, name: str) -> str:
    return ",".join(" ".join(value.split()) for value in request.headers.get_all(name))


def _check_payload(request: Request) -> None:
    """What `x-amz-content-sha256` says of the body is true, if it is said."""
    claimed = request.headers.get("x-amz-content-sha256")
    if claimed is not None and claimed != hashlib.sha256(request.body).hexdigest():
        raise _invalid(_MISMATCH, _about_payload(claimed))


def _why_not(request: Request, names: list[str]) -> str:
    claimed = request.headers.get("x-amz-content-sha256")
    if claimed is not None and claimed != hashlib.sha256(request.body).hexdigest():
        return _about_payload(claimed)
    missing = [name for name in names if name not in request.headers]
    if missing:
        return f"these headers were signed and did not arrive: {', '.join(missing)}"
    return (
        "the method, the path, the query, a signed header or the body is not what was signed, "
        "or the secret is another; a proxy or client that changes one of them breaks the signature"
    )


def _about_payload(claimed: str) -> str:
    if claimed.startswith(("UNSIGNED-PAYLOAD", "STREAMING-")):
        return f"Lambda takes no {claimed}: sign the SHA-256 of the body"
    return "x-amz-content-sha256 is not the SHA-256 of the body that arrived"


def _about_token(claim: _Claim) -> str:
    if claim.token:
        return "the session token is not that of this access key; unset AWS_SESSION_TOKEN"
    return "this access key is temporary, and the request has no X-Amz-Security-Token"


def _invalid(message: str, hint: str = "") -> SignatureError:
    return SignatureError("InvalidSignatureException", message, hint)


def _incomplete(message: str) -> SignatureError:
    return SignatureError("IncompleteSignatureException", message)
