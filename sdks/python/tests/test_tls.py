"""TLS, with an authority of the test's own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import gomsg

from .conftest import served

OPENSSL = shutil.which("openssl")

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="openssl makes the certificates")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `ca.pem`, and `node.pem` with `node.key` for localhost and 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    for command in (
        f"req -x509 {key} -keyout ca.key -out ca.pem -days 1 -subj /CN=authority",
        f"req {key} -keyout node.key -out node.csr -subj /CN=node",
        "x509 -req -in node.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out node.pem -days 1 -extfile names",
    ):
        subprocess.run([str(OPENSSL), *command.split()], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def port(authority: Path) -> Iterator[str]:
    with served(f"--tls-cert={authority / 'node.pem'}", f"--tls-key={authority / 'node.key'}") as address:
        yield address.rpartition(":")[2]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_calls_and_subscriptions_by_name_and_by_number(authority: Path, port: str, host: str) -> None:
    tls = gomsg.TlsOptions(ca=authority / "ca.pem")
    async with gomsg.connect(f"{host}:{port}", tls=tls) as client:
        await client.kv.set("k", "v")
        assert await client.kv.get("k") == "v"
        async with client.stream.subscribe("t") as subscription:
            await client.stream.publish("t", "x")
            assert (await anext(aiter(subscription))).data == "x"


async def test_a_certificate_for_another_name_is_refused(authority: Path, port: str) -> None:
    tls = gomsg.TlsOptions(ca=(authority / "ca.pem").read_bytes(), server_name="somebody-else")
    async with gomsg.connect(f"127.0.0.1:{port}", tls=tls, unreachable_timeout=0.2) as client:
        with pytest.raises(gomsg.UnavailableError) as caught:
            await client.kv.get("k")
    assert caught.value.reason == gomsg.ErrorReason.UNREACHABLE
