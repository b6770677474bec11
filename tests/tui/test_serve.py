"""The dashboard in a browser: it is shown, and to nobody else's page."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys

import pytest

from difftool.run.writer import create_run

pytest.importorskip("textual_serve", reason="pip install 'difftool[serve]'")
import aiohttp

LONG = 60


def free_port():
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return door.getsockname()[1]


def start(runs, port, *more):
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "difftool", "tui", "--runs", str(runs), "--serve", "--port", str(port), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder whose name a shell would take apart."""
    runs = tmp_path_factory.mktemp("served") / "two words; 'quoted' $HOME"
    create_run(runs / "toy-1", {"recipe": "toy", "device": "cpu"}, "recipe = 1\n")
    return runs


@pytest.fixture(scope="module")
def port(runs):
    port = free_port()
    server = start(runs, port)
    said = server.stderr.readline()
    assert f"http://localhost:{port} " in said, said + server.stderr.read()
    assert "read-only" in said
    assert "Ctrl-C" in said
    yield port
    server.terminate()
    assert server.communicate(timeout=LONG) == ("", "")
    assert server.returncode == 0


def asked(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, LONG))


async def drawn(websocket, *words):
    """What the page is sent until all these words are in it."""
    text = ""
    while not all(word in text for word in words):
        message = await websocket.receive()
        assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), text
        if message.type == aiohttp.WSMsgType.BINARY:
            text += message.data.decode()
    return text


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_the_page_is_here_and_loads_nothing_from_elsewhere(port, name):
    async def ask():
        async with aiohttp.ClientSession() as session, session.get(f"http://{name}:{port}/") as answer:
            page = await answer.text()
            assert answer.status == 200
            loaded = re.findall(r"""(?:src|href|url)\W{0,2}=?\W?["']?(/[^"')\s]+)""", page)
            assert f'"ws://{name}:{port}/ws"' in page
            assert not [each for each in re.findall(r"https?://[^\s\"'<]+", page) if "www.w3.org" not in each]
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'self'" in policy
            assert "frame-ancestors 'none'" in policy
            parts = [path for path in set(loaded) if path.startswith("/static/")]
            assert {path.rpartition(".")[2] for path in parts} >= {"css", "js", "png"}
            for path in parts:
                async with session.get(f"http://{name}:{port}{path}") as part:
                    assert part.status == 200, path

    asked(ask())


@pytest.mark.parametrize("path", ["/", "/static/js/textual.js", "/ws", "/download/x"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:{port}"},
        {"Host": "localhost"},
        {"Host": "localhost:1"},
        {"Host": "localhost:{port}.evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:1"},
        {"Origin": "http://localhost"},
        {"Origin": "https://localhost:{port}"},
        {"Origin": "http://localhost:{port}.evil.example"},
        {"Origin": "null"},
    ],
    ids=str,
)
def test_others_are_refused(port, path, headers):
    async def ask():
        sent = {name: value.format(port=port) for name, value in headers.items()}
        if path == "/ws":
            sent = {"Origin": f"http://localhost:{port}", **sent}
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}", headers=sent) as a:
            assert a.status == 403, await a.text()

    asked(ask())


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null"])
def test_no_websocket_for_a_page_from_elsewhere(port, origin):
    async def ask():
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(f"ws://localhost:{port}/ws", origin=origin)
            assert refused.value.status == 403

    asked(ask())


@pytest.mark.parametrize(
    ("sent", "code"),
    [('["stdin", "q"]', aiohttp.WSCloseCode.OK), ("not what the page sends", aiohttp.WSCloseCode.PROTOCOL_ERROR)],
)
def test_the_own_page_is_sent_the_dashboard_and_answers_keys(port, sent, code):
    async def ask():
        async with aiohttp.ClientSession() as session:
            address = f"ws://localhost:{port}/ws?width=120&height=30"
            async with session.ws_connect(address, origin=f"http://localhost:{port}") as websocket:
                await drawn(websocket, "toy-1", "read-only")
                await websocket.send_str(sent)
                while not websocket.closed:
                    await websocket.receive()
                assert websocket.close_code == code

    asked(ask())


def test_control_is_only_there_when_asked_for_and_processes_end_with_the_server(runs):
    port = free_port()
    server = start(runs, port, "--control")
    assert "may act on runs" in server.stderr.readline()

    async def ask():
        async with aiohttp.ClientSession() as session:
            address = f"ws://localhost:{port}/ws?width=120&height=30"
            async with session.ws_connect(address, origin=f"http://localhost:{port}") as websocket:
                text = await drawn(websocket, "toy-1")
                assert "read-only" not in text
                os.kill(server.pid, signal.SIGINT)
                while not websocket.closed:
                    await websocket.receive()

    asked(ask())
    assert server.communicate(timeout=LONG) == ("", "")  # which also waits for whoever else holds these pipes
    assert server.returncode == 0


def test_a_port_in_use_is_one_clear_refusal(runs, port):
    server = start(runs, port)
    out, said = server.communicate(timeout=LONG)
    assert (out, server.returncode) == ("", 5)
    assert said.startswith(f"difftool: error: port {port} cannot be had\nwhy: it is in use\ndo: ")


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    from difftool.cli import serve
    from difftool.errors import MachineError

    monkeypatch.setattr(serve.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MachineError, match="textual-serve") as refused:
        serve.serve(["--readonly"], free_port())
    assert "pip install 'difftool[serve]'" in refused.value.render()
