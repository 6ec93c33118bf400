"""Strawberry's ASGI application, with a subscription that the test holds."""

import asyncio
from collections.abc import AsyncGenerator

import strawberry
from app import pass_gate
from strawberry.asgi import GraphQL
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, MULTIPART_SUBSCRIPTION_PROTOCOL


@strawberry.type
class Query:
    @strawberry.field
    async def greeting(self, name: str) -> str:
        return f"Hello, {name}"


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def words(self) -> AsyncGenerator[str, None]:
        yield "one"
        await asyncio.to_thread(pass_gate, "1")
        yield "two"


app = GraphQL(
    strawberry.Schema(Query, subscription=Subscription),
    # By default there are WebSockets only.
    subscription_protocols=[GRAPHQL_SSE_PROTOCOL, MULTIPART_SUBSCRIPTION_PROTOCOL],
)
