"""The start and the end of an ASGI app."""

from __future__ import annotations

import asyncio

import pytest

from penstock.bridge.lifespan import Lifespan
from penstock.errors import AppError


class App:
    """Notes what it is told, and answers with the messages it is given for that."""

    def __init__(self, *, startup=("lifespan.startup.complete",), work=None):
        self.told = []
        self._startup = startup
        self._work = work

    async def __call__(self, scope, receive, send):
        assert scope["type"] == "lifespan"
        while True:
            message = await receive()
            self.told.append(message["type"])
            if message["type"] == "lifespan.shutdown":
                if self._work is not None:
                    await self._work()
                await send({"type": "lifespan.shutdown.complete"})
                return
            for kind in self._startup:
                await send({"type": kind, "message": "no database"})


def test_it_ends_an_app_that_has_started():
    async def main():
        app = App()
        lifespan = Lifespan(app)
        await lifespan.start()
        await lifespan.start()
        assert app.told == ["lifespan.startup"]
        await lifespan.end()
        await lifespan.end()
        assert app.told == ["lifespan.startup", "lifespan.shutdown"]

    asyncio.run(main())


def test_an_app_that_never_started_has_no_end():
    asyncio.run(Lifespan(App()).end())


def test_all_who_wait_hear_that_it_cannot_start():
    async def main():
        lifespan = Lifespan(App(startup=["lifespan.startup.failed"]))
        return await asyncio.gather(*(lifespan.start() for _ in range(3)), return_exceptions=True)

    errors = asyncio.run(main())
    assert [str(error) for error in errors] == ["the app could not start: no database"] * 3


def test_a_start_is_one_also_if_many_ask_at_once():
    async def main():
        app = App()
        lifespan = Lifespan(app)
        await asyncio.gather(*(lifespan.start() for _ in range(10)))
        assert app.told == ["lifespan.startup"]
        await lifespan.end()

    asyncio.run(main())


def test_an_app_without_lifespan_has_started():
    async def app(scope, receive, send):
        raise KeyError(scope["type"])

    async def main():
        lifespan = Lifespan(app)
        await lifespan.start()
        await lifespan.end()

    asyncio.run(main())


def test_an_end_that_fails_is_logged(caplog):
    async def work():
        raise ValueError("still in use")

    async def main():
        lifespan = Lifespan(App(work=work))
        await lifespan.start()
        await lifespan.end()

    asyncio.run(main())
    assert "the app's lifespan failed" in caplog.text
    assert "still in use" in caplog.text


def test_an_end_that_takes_too_long_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("penstock.bridge.lifespan._END_SECONDS", 0.01)

    async def main():
        lifespan = Lifespan(App(work=asyncio.Event().wait))
        await lifespan.start()
        await lifespan.end()

    asyncio.run(main())


def test_another_loop_starts_it_again():
    app = App()
    lifespan = Lifespan(app)
    lifespan.state["old"] = True
    for _ in range(2):
        with asyncio.Runner() as runner:
            runner.run(lifespan.start())
    assert app.told == ["lifespan.startup"] * 2
    assert lifespan.state == {}


def test_what_is_no_message_of_a_lifespan_is_refused(caplog):
    async def main():
        lifespan = Lifespan(App(startup=["http.response.start"]))
        await lifespan.start()

    caplog.set_level("INFO")
    asyncio.run(main())
    assert "cannot send 'http.response.start' in its lifespan" in caplog.text


def test_it_is_an_app_error_of_the_start_alone():
    with pytest.raises(AppError, match=r"could not start: lifespan\.startup\.failed"):

        async def app(scope, receive, send):
            await send({"type": "lifespan.startup.failed"})

        asyncio.run(Lifespan(app).start())
