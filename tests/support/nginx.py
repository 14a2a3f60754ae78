"""nginx: in front of a server of ours, with the configuration that the documentation shows."""

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.processes import ROOT

NAME = "editor.example"

MAIN = """
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
daemon off;
worker_processes 1;
events {{}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/marginalia.conf;
}}
"""


@dataclass(frozen=True)
class Nginx:
    """A proxy that speaks TLS, with a certificate that it signed itself."""

    port: int
    plain_port: int
    folder: Path

    @property
    def host(self) -> str:
        """The name and port under which clients ask it."""
        return f"{NAME}:{self.port}"

    @property
    def trust(self) -> ssl.SSLContext:
        """What a client needs to trust it."""
        return ssl.create_default_context(cafile=str(self.folder / "certificate.pem"))

    @property
    def log(self) -> str:
        """What it has logged of its requests."""
        return (self.folder / "access.log").read_text()


@contextmanager
def running(uds: Path) -> Iterator[Nginx]:
    """Run it in front of a Unix socket; without nginx the test is skipped, or fails where all has to be there."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None or shutil.which("openssl") is None:
        reason = "No nginx or no openssl here: install the packages of these names."
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="marginalia-nginx-") as name:
        nginx = Nginx(free_port(), free_port(), Path(name))
        _certify(nginx.folder)
        (nginx.folder / "marginalia.conf").write_text(_configuration(nginx, uds))
        user = "user root;" if os.getuid() == 0 else ""
        (nginx.folder / "nginx.conf").write_text(MAIN.format(folder=nginx.folder, user=user))
        with (nginx.folder / "output").open("wb") as output:
            command = [found, "-e", f"{nginx.folder}/error.log", "-c", f"{nginx.folder}/nginx.conf"]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            _wait(nginx, process)
            yield nginx
        finally:
            process.terminate()
            process.wait()


def _configuration(nginx: Nginx, uds: Path) -> str:
    """Return the documented configuration, with the places of a test."""
    text = (ROOT / "docs" / "nginx.conf").read_text()
    for documented, ours in {
        "listen 80;": f"listen 127.0.0.1:{nginx.plain_port};",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{nginx.port} ssl http2;",
        "unix:/run/marginalia/marginalia.sock;": f"unix:{uds};",
        "/etc/ssl/certs/editor.example.pem": f"{nginx.folder}/certificate.pem",
        "/etc/ssl/private/editor.example.key": f"{nginx.folder}/key.pem",
        "/var/log/nginx/marginalia.log": f"{nginx.folder}/access.log",
    }.items():
        assert text.count(documented) == 1, documented
        text = text.replace(documented, ours)
    return text


def _certify(folder: Path) -> None:
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    names = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME},IP:127.0.0.1"]
    files = ["-keyout", f"{folder}/key.pem", "-out", f"{folder}/certificate.pem"]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)


def _wait(nginx: Nginx, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", nginx.port), timeout=1).close()
        except OSError:
            told = (nginx.folder / "output").read_text()
            assert process.poll() is None, told
            assert time.monotonic() < deadline, told
            time.sleep(0.02)
        else:
            return
