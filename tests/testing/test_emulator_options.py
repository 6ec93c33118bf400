"""What `penstock.testing.emulator` cannot do is refused before anything is started."""

from __future__ import annotations

import pytest

from penstock import testing
from penstock.emulator.rest_apis import RestApi
from penstock.errors import EmulatorError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "app.py").write_text("def echo(event, context):\n    return event\n")
    return tmp_path


@pytest.mark.parametrize(
    ("target", "options", "error"),
    [
        ("app:", {}, "'app:' names no handler"),
        ("app.py:shop.stream", {}, "the handler in '.*app.py:shop.stream' is no plain name; give"),
        ("none.py:handler", {}, r"there is no file none.py \(looked from /"),
        ("app.py:echo", {"folder": "/none"}, "there is no folder /none"),
        ("app.py:echo", {"invoke_mode": "stream"}, "RESPONSE_STREAM or BUFFERED, not 'stream'"),
        ("app.py:echo", {"timeout": 0}, "a timeout is over 0"),
        ("app.py:echo", {"timeout": -1}, "a timeout is over 0 and at most 900 seconds, not -1"),
        ("app.py:echo", {"max_environments": 0}, "is a whole number, 1 or more, not 0"),
        ("app.py:echo", {"max_environments": 1.5}, "is a whole number, 1 or more, not 1.5"),
        ("app.py:echo", {"environment": {"A": 1}}, "a variable is text, but A is 1"),
        (None, {}, "^the target is module:handler or path/file.py:handler, not None"),
        ("app.py:echo", {"environment": {"A": "a\0b"}}, "is text without NUL, but A has one"),
        ("app.py:echo", {"environment": {"A=B": "c"}}, "text without = and NUL, not 'A=B'"),
        ("app.py:echo", {"environment": {"": "c"}}, "text without = and NUL, not ''"),
        ("app.py:echo", {"environment": {1: "c"}}, "text without = and NUL, not 1"),
        ("app.py:echo", {"strict": "yes"}, "^strict is True or False, not 'yes'"),
        ("app.py:echo", {"snap_start": 1}, "^snap_start is True or False, not 1"),
        ("app.py:echo", {"freeze": None}, "^freeze is True or False, not None"),
        (
            "app.py:echo",
            {"quirks": {"error-is-200": "no"}},
            "^'error-is-200' of quirks is True or False, not 'no'",
        ),
        ("app.py:echo", {"functions": {"pets": None}}, "^'pets' of functions is module:handler"),
        ("app.py:echo", {"function": "a b"}, "'a b' cannot be a function's name"),
        ("app.py:echo", {"function": 5}, "^function is the function's name, as in 'orders', not 5"),
        ("app.py:echo", {"folder": 5}, "^folder is a path, as text or a pathlib.Path, not 5"),
        ("app.py:echo", {"quirks": {5: True}}, "^quirks maps text, as in {.*}, not 5"),
        ("app.py:echo", {"functions": {5: "app.py:echo"}}, "^functions maps text, as in {.*}, not"),
        ("app.py:echo", {"allow_origin": ["x"]}, "'x' is no origin"),
        ("app.py:echo", {"timeout": "3"}, "timeout is a number of seconds, not '3'"),
        ("app.py:echo", {"retry_delay": -1}, "retry_delay is 0 seconds or more, not -1"),
        ("app.py:echo", {"max_concurrency": 0}, "max_concurrency is a whole number, 1 or more"),
        ("app.py:echo", {"environment": ["A=1"]}, "environment maps names to text"),
        ("app.py:echo", {"auth_type": "IAM"}, "auth_type is NONE or AWS_IAM, not 'IAM'"),
        ("app.py:echo", {"credentials": ["x"]}, "^credentials takes ID:SECRET, with a colon"),
        ("app.py:echo", {"credentials": ["a:b", "a:c"]}, "^credentials has two secrets for the"),
        ("app.py:echo", {"credentials": "a:b"}, r'^credentials is a list of str, as in \["ID:SEC'),
        ("app.py:echo", {"allow_origin": "http://a"}, "^allow_origin is a list of str, as in"),
        ("app.py:echo", {"quirks": {"odd": True}}, "there is no quirk 'odd'"),
        ("app.py:echo", {"quirks": ["error-is-200"]}, "quirks is a mapping, as in {"),
        ("app.py:echo", {"functions": ["app.py:fails"]}, "functions is a mapping, as in {"),
        ("app.py:echo", {"functions": {"app": "app.py:fails"}}, "functions has 'app', which is"),
        ("app.py:echo", {"rest_apis": ["x"]}, "rest_apis is a list of RestApi, as in"),
        ("app.py:echo", {"rest_apis": RestApi("shop", ())}, "rest_apis is a list of RestApi"),
        (
            "app.py:echo",
            {"rest_apis": [RestApi("shop", ()), RestApi("shop", ())]},
            "two REST APIs with the id 'shop'",
        ),
        (
            "app.py:echo",
            {"max_concurrency": 2, "snap_start": True},
            r"\(snap_start and max_concurrency, or the variable .*\) do not go together",
        ),
        (
            "app.py:echo",
            {"environment": {"AWS_LAMBDA_MAX_CONCURRENCY": "x"}},
            "AWS_LAMBDA_MAX_CONCURRENCY is a number of invocations, 1 or more, not 'x'",
        ),
        ("app.py:echo", {"environment": {"_HANDLER": "x"}}, "cannot set _HANDLER: Lambda itself"),
        ("app.py:echo", {"environment": {"AWS_REGION": "x"}}, "Region is the AWS_REGION of the"),
    ],
)
def test_what_cannot_be_is_refused_at_once(folder, target, options, error):
    with (
        pytest.raises(EmulatorError, match=error),
        testing.emulator(target, **{"folder": folder, **options}),
    ):
        pytest.fail("it was served")
