"""The server's process."""

import os
import platform
import sys

import pytest


@pytest.mark.skipif(sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="glibc's heaps")
@pytest.mark.parametrize(("given", "limit"), [({}, len(os.sched_getaffinity(0))), ({"MALLOC_ARENA_MAX": "3"}, 3)])
def test_the_heap_has_a_part_for_each_core_unless_told_otherwise(serve, given, limit, monkeypatch):
    for name in ("MALLOC_ARENA_MAX", "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    server = serve(environment=given)
    # It has started itself again as the same process, which a supervisor goes on knowing.
    with open(f"/proc/{server.process.pid}/environ", "rb") as environment:
        variables = environment.read().split(b"\0")
    assert f"MALLOC_ARENA_MAX={limit}".encode() in variables
    with open(f"/proc/{server.process.pid}/cmdline", "rb") as line:
        assert line.read().split(b"\0")[:-1] == [part.encode() for part in server.command()]
