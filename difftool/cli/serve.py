"""`difftool tui --serve`: the dashboard in a browser on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib.util
import io
import shlex
import signal
import socket
import sys
from typing import TYPE_CHECKING

import typer

from difftool.errors import MachineError, safe_text
from difftool.run.launch import difftool

if TYPE_CHECKING:
    from difftool.cli.pages import Pages

HOMES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


def serve(args: list[str], port: int) -> None:
    """Shows `difftool tui ARGS` at http://localhost:PORT until it is asked to end."""
    if importlib.util.find_spec("textual_serve") is None:
        raise MachineError("--serve needs textual-serve, which is not installed", do="pip install 'difftool[serve]'")
    from difftool.cli.pages import Pages

    doors = _doors(port)
    try:
        pages = Pages(command(args), port)
        does = "read-only" if "--readonly" in args else "whoever has an account on this machine may act on runs there"
        typer.echo(f"http://localhost:{port} shows the dashboard ({does}); Ctrl-C ends it", err=True)
        with contextlib.redirect_stdout(_Aside()):
            asyncio.run(_until_asked(pages, doors))
    finally:
        for door in doors:
            door.close()


def command(args: list[str]) -> str:
    """What a page runs, for the shell that textual-serve hands it to; `exec`, so that the shell is not in between."""
    return "exec " + shlex.join(difftool("tui", *args))


def _doors(port: int) -> list[socket.socket]:
    """What listens: at this machine's own addresses only."""
    doors = []
    for family, host in HOMES:
        try:
            door = socket.socket(family, socket.SOCK_STREAM)
            doors.append(door)
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.bind((host, port))
            door.listen()
        except OSError as error:
            if family == socket.AF_INET6 and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                continue  # a machine without IPv6
            for each in doors:
                each.close()
            why = "it is in use" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
            raise MachineError(
                f"port {port} cannot be had", why=why, do=f"another one, as in --port {port % 65535 + 1}"
            ) from None
    return [door for door in doors if door.getsockname()[1] == port]


async def _until_asked(pages: Pages, doors: list[socket.socket]) -> None:
    """Answers until a signal comes, then ends every page's process."""
    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    await pages.open(doors)
    try:
        await asked.wait()
    finally:
        await pages.close()


class _Aside(io.TextIOBase):
    """textual-serve repeats on standard output what a page's process complained about: it goes where people read."""

    def write(self, text: str) -> int:
        sys.stderr.write(safe_text(text))
        return len(text)
