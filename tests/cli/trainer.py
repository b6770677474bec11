"""A process that answers commands as a trainer does, without training: owns the lock, writes events and status.

python trainer.py RUN [deaf | silent | refusing | busy | saved]
"""

import sys
import time
from pathlib import Path

from difftool.run.control import Inbox
from difftool.run.layout import RunDir
from difftool.run.lock import RunLock
from difftool.run.writer import RunWriter


def main(root, manner=""):
    run = RunDir(Path(root))
    with RunLock(run):
        inbox = Inbox(run)
        writer = RunWriter(run)
        writer.event("start", attempt=writer.attempt, from_step=0, total=100)
        writer.status(force=True, state="running", step=7, total=100)
        while True:
            writer.status()
            for command in inbox.poll() if manner != "deaf" else ():
                if manner == "busy":  # one on schedule comes first
                    writer.event(command.command, step=6, path=f"{command.command}s/step-00000006")
                if command.command in ("checkpoint", "preview") and manner != "saved":
                    writer.event(command.command, step=7, path=f"{command.command}s/step-00000007")
                if command.command in ("pause", "resume"):
                    writer.status(force=True, state="paused" if command.command == "pause" else "running")
                said = f"{command.command} heard at step 7 {command.args or ''}".strip()
                writer.event(
                    "ack", id=command.id, step=7, ok=manner != "refusing", message=said, command=command.command
                )
                if command.command in ("stop", "kill"):
                    time.sleep(0.3)  # a checkpoint takes its time
                    writer.event("end", state="stopped", exit=75, step=8)
                    writer.status(force=True, state="stopped", step=8, exit=75)
                    time.sleep(0.3)  # the run is owned until all is closed
                    return
            time.sleep(0.02)


if __name__ == "__main__":
    main(*sys.argv[1:])
