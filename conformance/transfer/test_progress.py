"""Who looks at a terminal sees how far an import or export is, and may end it and start it again."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from collections.abc import Callable
from pathlib import Path

from conftest import MLFLOW3, Stele, environment, python
from servers import stele_binary

RUNS = 6_000
DONE = re.compile(rf"([\d,]+)/{RUNS:,} runs")


def on_terminal(stele: Stele, *arguments: object, see: Callable[[str, subprocess.Popen], None]) -> tuple[int, str]:
    """Runs a command whose talk goes to a terminal; `see` is told all that was drawn, again and again. Gives its end and
    what it printed."""
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    place = ["--data", str(stele.data), "--database", stele.database]
    command = [str(stele_binary()), *map(str, arguments), *place]
    process = subprocess.Popen(
        command,
        env=environment() | {"TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=terminal,
        text=True,
        # A shell that runs the tests in the background lets its children ignore this signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    os.close(terminal)
    drawn = ""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # Nobody holds the terminal any more.
            break
        if not piece:
            break
        drawn += piece.decode(errors="replace")
        see(drawn, process)
    os.close(master)
    printed = process.stdout.read() if process.stdout else ""
    return process.wait(120), printed


def test_progress_is_seen_and_work_is_ended_and_taken_up_again(stele: Stele, tmp_path: Path) -> None:
    source = tmp_path / "many.db"
    python(MLFLOW3, "many_runs.py", source, RUNS)
    ended = []

    def end_in_the_middle(drawn: str, process: subprocess.Popen) -> None:
        counts = [int(count.replace(",", "")) for count in DONE.findall(drawn)]
        if counts and 0 < counts[-1] < RUNS and not ended:
            ended.append(counts[-1])
            process.send_signal(signal.SIGINT)

    code, _ = on_terminal(stele, "import", "mlflow", source, "--keep-artifacts", see=end_in_the_middle)
    assert ended and code != 0, "it was over before anybody could look"
    report = stele.json("import", "mlflow", source, "--keep-artifacts")
    assert report["known"]["runs"] >= ended[0], (report, ended)
    assert report["taken"]["runs"] + report["known"]["runs"] == RUNS

    seen: list[str] = []
    code, printed = on_terminal(stele, "export", "mlflow", tmp_path / "out.db", "--json", see=lambda drawn, _: seen.append(drawn))
    assert code == 0 and DONE.search(seen[-1]), seen[-1:]
    # What is printed is data and nothing else.
    assert {row["name"]: row["rows"] for row in json.loads(printed)["rows"]}["runs"] == RUNS
