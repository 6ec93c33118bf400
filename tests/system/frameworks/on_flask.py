"""The routes of test_frameworks.py in Flask."""

from app import pass_gate
from flask import Flask, Response, make_response, redirect, request, url_for

counts = {"later": 0}
app = Flask(__name__)


@app.get("/stream")
def stream():
    def chunks():
        yield "one"
        pass_gate("1")
        yield "two"

    return chunks(), 201, {"x-own": "header", "content-type": "text/plain"}


@app.get("/breaks")
def breaks():
    def chunks():
        yield "one"
        raise ValueError("secret")

    return chunks(), {"content-type": "text/plain"}


@app.get("/fails")
def fails():
    raise ValueError("secret")


@app.put("/echo/<name>")
def echo(name):
    return {
        "method": request.method,
        "name": name,
        "query": list(request.args.items(multi=True)),
        "body": request.get_data().hex(),
        "tags": request.headers.getlist("x-tag"),
    }


@app.get("/cookies")
def cookies():
    response = make_response("two")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


@app.get("/later")
def later():
    def task():
        pass_gate("later")
        counts["later"] += 1
        print("LATER", flush=True)

    response = make_response("soon")
    response.call_on_close(task)
    return response


@app.get("/counts")
def count():
    return counts


@app.get("/page")
def page():
    return "page"


@app.get("/empty")
def empty():
    return "", 204


@app.get("/unchanged")
def unchanged():
    return Response("", 304, {"etag": '"1"'})


@app.get("/away")
def away():
    return redirect("/page")


@app.get("/address")
def address():
    return url_for("page", _external=True)
