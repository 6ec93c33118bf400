"""What runs before a snapshot and after a restore; EXTRA adds a hook that goes wrong."""

from __future__ import annotations

import os
import sys

from snapshot_restore_py import register_after_restore, register_before_snapshot


def note(*arguments: object, **keywords: object) -> None:
    print("hook", arguments, keywords)


def fail() -> None:
    raise ValueError("the hook failed")


def register_more() -> None:
    register_before_snapshot(note, "registered late")
    register_after_restore(note, "registered late")


HOOKS = {"fail": fail, "exit": lambda: sys.exit(0), "more": register_more}


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    register_before_snapshot(note, "registered first", x=1)
    register_after_restore(note, "registered first", x=1)
    moment, _, name = os.environ.get("EXTRA", "").partition(" ")
    if moment == "before":
        register_before_snapshot(HOOKS[name])
    if moment == "after":
        register_after_restore(HOOKS[name])
    register_before_snapshot(note, "registered last")
    register_after_restore(note, "registered last")


def handler(event: object, context: object) -> object:
    if event == "exit":
        sys.exit(0)
    return event
