"""Figures: the files in which several workers keep them, which are on no disk that can be full."""

import os
import shlex
import subprocess
from pathlib import Path

import httpx
import pytest

from marginalia.observability import metrics_workers
from tests.edge.sockets import SECONDS
from tests.support.processes import COMMAND, environment, running

pytestmark = pytest.mark.skipif(not os.access(metrics_workers.MEMORY, os.W_OK), reason="no folder here is memory")

SMALL = "mount -t tmpfs -o size=4k tmpfs {folder}"
"""Makes a disk of one page."""


def test_workers_serve_where_the_disk_is_full(tmp_path: Path) -> None:
    # In a namespace of its own the small disk is there for this server only.
    apart = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    disk = tmp_path / "disk"
    disk.mkdir()
    small = SMALL.format(folder=shlex.quote(str(disk)))
    tried = subprocess.run([*apart, small], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"nothing can be mounted here: {tried.stderr}")
    url = f"sqlite:///{tmp_path}/marginalia.db"
    serve = shlex.join([*COMMAND, "serve", "--port", "0", "--database", url, "--workers", "2"])

    with running([*apart, f"{small} && exec {serve}"], environment() | {"TMPDIR": str(disk)}) as server:
        for number in range(40):
            for path in ("/livez", "/metrics"):
                assert httpx.get(f"{server.address}{path}", timeout=SECONDS).status_code == 200
            query = {"query": f"query N{number} {{ __typename }}"}
            assert httpx.post(f"{server.address}/graphql", json=query, timeout=SECONDS).status_code == 200
        assert server.log.count("process started") == 2
        assert "died" not in server.log
