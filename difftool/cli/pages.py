"""The server behind `difftool tui --serve`: a process of its own for each page that is open.

textual-serve answers whoever asks. Here only pages that came from this very server are answered: a page from elsewhere
that is open in the same browser must neither read runs nor steer them, whatever name it gives to this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
from asyncio.subprocess import PIPE, Process

from aiohttp import WSCloseCode, web
from aiohttp.typedefs import Handler
from textual_serve.app_service import AppService
from textual_serve.server import Server, to_int

MOST = 12
"""Pages at a time: each is a process."""
PATIENCE = 3.0
"""Seconds that a page's process has to end by itself."""

_HEAD = """<head>
    <title>difftool</title>
    <link rel="icon" href="data:," />
    <script>
      // Keys are for the dashboard from the first picture on; until then it would not hear that it has them.
      window.addEventListener("load", () => new MutationObserver((_, watcher) => {
        if (document.body.classList.contains("-first-byte")) {
          watcher.disconnect();
          document.querySelector("#terminal textarea")?.focus();
        }
      }).observe(document.body, {attributes: true}));
    </script>"""
_ELSEWHERE = re.compile(r"<link\b[^>]*https?://[^>]*>")


class Page(AppService):
    """The process behind one page."""

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        # In a session of its own: Ctrl-C is for the server, which then asks its pages to end.
        self._process = process = await asyncio.create_subprocess_shell(
            self.command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=self._build_environment(width, height),
            start_new_session=True,
        )
        self._stdin = process.stdin
        return process

    async def run(self) -> None:
        """Passes on what it draws; says so in the browser when it has ended, in whatever way."""
        await super().run()
        with contextlib.suppress(ConnectionError):
            await self.remote_close()

    async def stop(self) -> None:
        """Ends it: asked first, then not."""
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()  # it may not read yet what it is sent
        with contextlib.suppress(TimeoutError, ConnectionError):
            await asyncio.wait_for(super().stop(), PATIENCE)
            await asyncio.wait_for(process.wait(), PATIENCE)
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


class Pages(Server):
    """Answers the browsers of this machine, and no pages but its own."""

    def __init__(self, command: str, port: int) -> None:
        super().__init__(command, host="localhost", port=port, title="difftool")
        names = [f"{name}:{port}" for name in ("localhost", "127.0.0.1", "[::1]")]
        self.hosts = frozenset([*names, *(name.removesuffix(":80") for name in names)])
        self.origins = frozenset(f"http://{host}" for host in self.hosts)
        self._open: set[Page] = set()
        self._runner: web.AppRunner | None = None

    async def open(self, doors: list[socket.socket]) -> None:
        """Begins to answer."""
        self._runner = web.AppRunner(await self._make_app(), access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        for door in doors:
            await web.SockSite(self._runner, door).start()

    async def close(self) -> None:
        """Ends every page, and stops answering."""
        await asyncio.gather(*(page.stop() for page in self._open), return_exceptions=True)
        if self._runner:
            await self._runner.cleanup()

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard)
        return app

    async def on_startup(self, app: web.Application) -> None:
        """No banner: the command has said what there is to know."""

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Whoever asks must mean this server by its own name, and a page that asks must be from here.

        A name of somebody else's that leads to this machine would make his pages "the same origin" for the browser; a
        websocket may be opened from any page at all, so without an origin there is none.
        """
        origin = request.headers.get("Origin")
        known = request.host.lower() in self.hosts
        if not known or not (origin in self.origins or (origin is None and request.path != "/ws")):
            raise web.HTTPForbidden(text=f"This is http://localhost:{self.port} and answers to no other name.\n")
        return await handler(request)

    async def handle_index(self, request: web.Request) -> web.StreamResponse:
        """The page, which loads nothing from other machines and is shown in no other page."""
        page = await super().handle_index(request)
        if not isinstance(page, web.Response):
            return page
        own, here = self.public_url.removeprefix("http:"), f"//{request.host}"
        text = (page.text or "").replace(self.public_url + "/", "/").replace(f"ws:{own}/", f"ws:{here}/")
        page.text = _ELSEWHERE.sub("", text).replace("<head>", _HEAD, 1)
        page.headers["Content-Security-Policy"] = (
            "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
            f"img-src 'self' data:; font-src 'self' data:; connect-src 'self' ws:{here}; frame-ancestors 'none'"
        )
        page.headers["Referrer-Policy"] = "no-referrer"
        return page

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Starts a page's process, and ends it when the page is closed."""
        if len(self._open) >= MOST:
            raise web.HTTPServiceUnavailable(text=f"{MOST} pages are open already.\n")
        websocket = web.WebSocketResponse(heartbeat=15)
        page = Page(
            self.command,
            write_bytes=websocket.send_bytes,
            write_str=websocket.send_str,
            close=websocket.close,  # type: ignore[arg-type]  # whether it was open still is nothing to a page
            download_manager=self.download_manager,
        )
        self._open.add(page)
        try:
            await websocket.prepare(request)
            query = request.query
            await page.start(to_int(query.get("width", ""), 80), to_int(query.get("height", ""), 24))
            await self._process_messages(websocket, page)
        except (AssertionError, AttributeError, LookupError, TypeError, ValueError):  # not what the page sends
            await websocket.close(code=WSCloseCode.PROTOCOL_ERROR)
        except ConnectionError:  # it is gone
            pass
        finally:
            await page.stop()
            self._open.discard(page)
        return websocket
