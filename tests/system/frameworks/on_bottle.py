"""The routes of test_frameworks.py in Bottle."""

from app import pass_gate
from bottle import Bottle, HTTPResponse, request, response

app = Bottle()


@app.get("/stream")
def stream():
    response.status = 201
    response.set_header("x-own", "header")
    response.content_type = "text/plain"
    yield b"one"
    pass_gate("1")
    yield b"two"


@app.get("/breaks")
def breaks():
    response.content_type = "text/plain"
    yield b"one"
    raise ValueError("secret")


@app.get("/fails")
def fails():
    raise ValueError("secret")


@app.put("/echo/<name>")
def echo(name):
    return {
        "method": request.method,
        "name": name,
        "query": list(request.query.allitems()),
        "body": request.body.read().hex(),
        "tags": [request.get_header("x-tag")],
    }


@app.get("/cookies")
def cookies():
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return "two"


@app.get("/page")
def page():
    return "page"


@app.get("/empty")
def empty():
    response.status = 204


@app.get("/unchanged")
def unchanged():
    return HTTPResponse(status=304, etag='"1"')


@app.get("/away")
def away():
    return HTTPResponse(status=302, location="/page")


@app.get("/address")
def address():
    return request.urlparts._replace(path=app.get_url("/page"), query="").geturl()
