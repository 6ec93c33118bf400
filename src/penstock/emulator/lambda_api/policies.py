"""The resource-based policies of functions: who may call what, as values.

A policy belongs to one resource: a function, or one of its versions or aliases. Its
revision is that of the resource: on AWS a change of the policy gives the function, version
or alias a new RevisionId, and `GetPolicy` answers with it. So whoever keeps policies keeps
the revision, too.

Sources: the API reference of AddPermission, RemovePermission and GetPolicy; "Control access
to Lambda function URLs" for what a URL needs since October 2025; error texts as captured on
AWS, but for those that say otherwise here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from .errors import ApiError, conflict, invalid, not_found

INVOKE = "lambda:InvokeFunction"
INVOKE_URL = "lambda:InvokeFunctionUrl"

#: The longest policy, in bytes. (Lambda quotas, "Resource-based policy")
POLICY_SIZE = 20480


@dataclass(frozen=True)
class Permission:
    """What one AddPermission allows: each field is the parameter of that name.

    A field that is None or False was not given. `permission_from_request` makes valid ones.
    """

    statement_id: str
    action: str
    principal: str
    source_arn: str | None = None
    source_account: str | None = None
    principal_org_id: str | None = None
    function_url_auth_type: str | None = None
    invoked_via_function_url: bool = False
    event_source_token: str | None = None

    def statement(self, resource: str) -> dict[str, object]:
        """The statement as AWS writes it; `resource` is the ARN of what may be called."""
        statement: dict[str, object] = {
            "Sid": self.statement_id,
            "Effect": "Allow",
            "Principal": _principal(self.principal, resource),
            "Action": self.action,
            "Resource": resource,
        }
        if condition := self._condition():
            statement["Condition"] = condition
        return statement

    def statement_json(self, resource: str) -> str:
        """The `Statement` in the answer to AddPermission."""
        return json.dumps(self.statement(resource), separators=(",", ":"))

    def _condition(self) -> dict[str, dict[str, str]]:
        equals = {
            "AWS:SourceAccount": self.source_account,
            "aws:PrincipalOrgID": self.principal_org_id,
            "lambda:EventSourceToken": self.event_source_token,
            "lambda:FunctionUrlAuthType": self.function_url_auth_type,
        }
        blocks = {
            "StringEquals": {key: value for key, value in equals.items() if value is not None},
            "Bool": {"lambda:InvokedViaFunctionUrl": "true"}
            if self.invoked_via_function_url
            else {},
            "ArnLike": {"AWS:SourceArn": self.source_arn} if self.source_arn is not None else {},
        }
        return {operator: block for operator, block in blocks.items() if block}

    def allows_anybody(self, action: str) -> bool:
        """Whether it allows `action` to callers without credentials, from anywhere."""
        return (
            self.principal == "*"
            and self.action in (action, "lambda:*", "*")
            and self.source_arn is None
            and self.source_account is None
            and self.principal_org_id is None
            and self.event_source_token is None
        )


@dataclass(frozen=True)
class Policy:
    """The permissions of one function, version or alias, in the order they were added."""

    permissions: tuple[Permission, ...] = ()

    def document(self, resource: str) -> str:
        """The `Policy` in the answer to GetPolicy: JSON.

        Raises:
            ApiError: 404, there is no permission in it: so there is no policy.
        """
        if not self.permissions:
            raise not_found("The resource you requested does not exist.")
        return self._json(resource)

    def added(self, permission: Permission, resource: str) -> Policy:
        """The policy with one permission more.

        Raises:
            ApiError: 409, the statement id is taken; 400, it would be too long.
        """
        sid = permission.statement_id
        if any(each.statement_id == sid for each in self.permissions):
            raise conflict(
                f"The statement id ({sid}) provided already exists. Please provide a new "
                "statement id, or remove the existing statement.",
            )
        grown = Policy((*self.permissions, permission))
        size = len(grown._json(resource))
        if size > POLICY_SIZE:
            message = f"The final policy size ({size}) is bigger than the limit ({POLICY_SIZE})."
            body = {"Type": "User", "message": message}
            raise ApiError(400, "PolicyLengthExceededException", body)
        return grown

    def removed(self, statement_id: str) -> Policy:
        """The policy with one permission less.

        Raises:
            ApiError: 404, there is no such statement.
        """
        if not self.permissions:
            raise not_found("No policy is associated with the given resource.")
        left = tuple(each for each in self.permissions if each.statement_id != statement_id)
        if len(left) == len(self.permissions):
            raise not_found(f"Statement {statement_id} is not found in resource policy.")
        return Policy(left)

    def _json(self, resource: str) -> str:
        statements = [each.statement(resource) for each in self.permissions]
        document = {"Version": "2012-10-17", "Id": "default", "Statement": statements}
        return json.dumps(document, separators=(",", ":"))


def permission_from_request(request: Mapping[str, object]) -> Permission:
    """The permission in the JSON of an AddPermission; other keys are passed over.

    `request` has been checked against the API's model.

    Raises:
        ApiError: 400, it has what does not go together, or its principal is nobody.
    """
    given = {_field(key): value for key, value in request.items()}
    known = {field.name for field in fields(Permission)}
    permission = Permission(**{key: given[key] for key in known & given.keys()})  # type: ignore[arg-type]
    if permission.function_url_auth_type is not None and permission.action != INVOKE_URL:
        raise invalid(f"FunctionUrlAuthType is only supported for {INVOKE_URL} action")
    if permission.invoked_via_function_url and permission.action != INVOKE:
        # AWS's text is not known; this is the one above with the other names.
        raise invalid(f"InvokedViaFunctionUrl is only supported for {INVOKE} action")
    if not _PRINCIPAL.fullmatch(permission.principal):
        raise invalid(
            "The provided principal was invalid. Please check the principal and try again."
        )
    return permission


def missing_for_url(policy: Policy, auth_type: str) -> tuple[str, ...]:
    """The actions that a URL's policy does not let everybody take, and has to; maybe none.

    `policy` is that of what the URL belongs to: of the function, or of the alias. A URL of
    type NONE needs both permissions. One of type AWS_IAM needs none: callers of its own
    account are let in by their own policies, and others there are not here.
    """
    if auth_type != "NONE":
        return ()
    return tuple(
        action
        for action in _URL_STATEMENTS
        if not any(
            each.allows_anybody(action) and each.function_url_auth_type in (None, "NONE")
            for each in policy.permissions
        )
    )


def commands_for_url(
    policy: Policy, missing: Iterable[str], function: str, qualifier: str | None = None
) -> list[str]:
    """The commands that add to `policy` what is `missing` for the URL, ready for a shell.

    They use the statement ids that the Lambda console gives to these permissions.
    """
    taken = {each.statement_id for each in policy.permissions}
    start = f"aws lambda add-permission --function-name {function}"
    if qualifier is not None:
        start += f" --qualifier {qualifier}"
    commands = []
    for action in missing:
        sid, condition = _URL_STATEMENTS[action]
        sid = next(
            each for each in (sid, *(f"{sid}{n}" for n in range(2, 100))) if each not in taken
        )
        commands.append(
            f"{start} --statement-id {sid} --action {action} --principal '*' {condition}"
        )
    return commands


# The statement id and the condition of each permission that a NONE URL needs.
_URL_STATEMENTS = {
    INVOKE_URL: ("FunctionURLAllowPublicAccess", "--function-url-auth-type NONE"),
    INVOKE: ("FunctionURLAllowInvokeAction", "--invoked-via-function-url"),
}


def _principal(principal: str, resource: str) -> object:
    """The `Principal` of a statement: an account is written as its root."""
    if principal == "*":
        return "*"
    if re.fullmatch(r"\d{12}", principal):
        partition = resource.split(":")[1]
        return {"AWS": f"arn:{partition}:iam::{principal}:root"}
    return {"AWS" if principal.startswith("arn:") else "Service": principal}


def _field(key: str) -> str:
    """`SourceArn` as `source_arn`, `PrincipalOrgID` as `principal_org_id`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower()


# Everybody, an account, a user or role, or a service.
_PRINCIPAL = re.compile(
    r"\*|\d{12}|arn:aws[a-z-]*:(iam|sts)::\d{12}:.+|[a-z0-9.-]+\.(amazonaws\.com(\.cn)?|amazon\.com)"
)
