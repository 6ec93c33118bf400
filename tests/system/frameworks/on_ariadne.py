"""Ariadne's ASGI application, with a subscription that the test holds."""

import asyncio

from app import pass_gate
from ariadne import QueryType, SubscriptionType, gql, make_executable_schema
from ariadne.asgi import GraphQL
from ariadne.contrib.sse import GraphQLHTTPSSEHandler

query, subscription = QueryType(), SubscriptionType()


@query.field("greeting")
async def greeting(_, info, name):
    return f"Hello, {name}"


@subscription.source("words")
async def words(_, info):
    yield "one"
    await asyncio.to_thread(pass_gate, "1")
    yield "two"


@subscription.field("words")
def word(value, info):
    return value


types = gql("""
    type Query { greeting(name: String!): String! }
    type Subscription { words: String! }
""")
schema = make_executable_schema(types, query, subscription)
app = GraphQL(schema, http_handler=GraphQLHTTPSSEHandler())
