"""TLS at the balancer, on a stack of its own."""

from __future__ import annotations

import datetime
import ipaddress
import json
import socket
import ssl
from functools import partial
from pathlib import Path

import pytest
from counting import CountingVisitors
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from verify.deployment import Deployment, ask_every_server
from verify.hostile import http2_flood
from verify.neighbour import neighbour_of
from verify.visitor import Visitor


@pytest.fixture
def deployment(tls_deployment: Deployment) -> Deployment:
    return tls_deployment


@pytest.fixture
def in_the_clear(deployment: Deployment) -> Visitor:
    return Visitor(f"http://127.0.0.1:{deployment.port}")


def test_a_visitor_hops_with_a_cookie_that_never_travels_in_the_clear(deployment: Deployment) -> None:
    visitor = deployment.visitor()
    first = visitor.add("n")
    assert first.set_cookie is not None
    assert first.set_cookie.startswith("__Host-session=")
    assert "; Secure" in first.set_cookie
    for answer in ask_every_server(deployment, visitor.show).values():
        assert answer.body["data"] == {"n": 1}
        assert answer.headers["Strict-Transport-Security"] == "max-age=300"


def test_a_page_in_the_clear_leads_to_its_secure_address(
    deployment: Deployment, in_the_clear: Visitor
) -> None:
    answer = in_the_clear.ask("GET", "/?tab=2")
    assert (answer.status, answer.headers["Location"]) == (308, f"{deployment.url}/?tab=2")
    assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/session"), ("POST", "/login"), ("PUT", "/")])
def test_any_other_request_in_the_clear_is_refused_and_reaches_no_server(
    in_the_clear: Visitor, method: str, path: str
) -> None:
    answer = in_the_clear.ask(method, path)
    assert (answer.status, answer.server, answer.body["title"]) == (403, "balancer", "https-required")


def test_a_proxy_that_is_trusted_says_how_and_from_where_a_visitor_came(
    deployment: Deployment, in_the_clear: Visitor
) -> None:
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.1, 203.0.113.7"}
    ask = partial(in_the_clear.ask, "GET", "/api/session", headers=said)
    answer, line = deployment.ask_until_logged(ask)
    assert (answer.status, line["client"]) == (200, "203.0.113.7")


def test_nobody_else_is_believed(deployment: Deployment) -> None:
    with neighbour_of(deployment) as neighbour:
        said = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}
        status, _, body = neighbour.ask("GET", "/api/session", said)
    assert (status, json.loads(body)["title"]) == (403, "https-required")


def agreed_protocol(deployment: Deployment, context: ssl.SSLContext) -> str | None:
    address = ("127.0.0.1", int(deployment.url.rpartition(":")[2]))
    with (
        socket.create_connection(address, 10) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as connection,
    ):
        return connection.selected_alpn_protocol()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_tls_1_1_is_refused(deployment: Deployment) -> None:
    context = ssl.create_default_context(cafile=deployment.ca)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
        agreed_protocol(deployment, context)


@pytest.mark.parametrize("suites", ["ECDHE+AES+SHA1:ECDHE+AES+SHA256:@SECLEVEL=0", "kRSA:@SECLEVEL=0"])
def test_a_weak_cipher_is_refused(deployment: Deployment, suites: str) -> None:
    """CBC, and keys without forward secrecy."""
    context = ssl.create_default_context(cafile=deployment.ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(suites)
    with pytest.raises(ssl.SSLError, match=r"(?i)handshake.failure"):
        agreed_protocol(deployment, context)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
def test_both_versions_of_tls_and_of_http_are_served(
    deployment: Deployment, version: ssl.TLSVersion, protocol: str
) -> None:
    context = ssl.create_default_context(cafile=deployment.ca)
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols([protocol])
    assert agreed_protocol(deployment, context) == protocol


def test_unfinished_streams_of_http_2_leave_memory_for_the_other_visitors(deployment: Deployment) -> None:
    balancer = deployment.container("balancer")
    started_at = balancer.attrs["State"]["StartedAt"]
    visitor = deployment.visitor()
    with http2_flood(lambda: visitor.connect("h2"), connections=50, streams=100) as held:
        assert held == 50
        assert [visitor.add("n").status for _ in range(10)] == [200] * 10
        usage = balancer.stats(stream=False)["memory_stats"]
    assert usage["usage"] < usage["limit"] // 2
    balancer.reload()
    assert balancer.attrs["State"]["StartedAt"] == started_at


def test_a_choice_of_tls_stays_with_the_deployment(deployment: Deployment) -> None:
    deployment.script("infra/up")
    said = dict.fromkeys(("TLS", "TLS_PROXY_NETWORKS", "HSTS_S", "HTTPS_PORT"), "")
    deployment.script("infra/up", COMPOSE_FILE="", **said)
    answer = deployment.visitor().show()
    assert (answer.status, answer.headers["Strict-Transport-Security"]) == (200, "max-age=300")


# Signs the balancer's certificate anew, for so many days.
RESIGN = """
set -eu
cd /etc/tls
by="-CA authority/ca.pem -CAkey authority/ca.key"
openssl x509 -in balancer.pem $by -days $1 -set_serial $1 -out /tmp/new.pem
openssl pkey -in balancer.pem -out /tmp/key.pem
cat /tmp/new.pem /tmp/key.pem >balancer.pem
"""


@pytest.mark.parametrize(("days", "is_renewed"), [(29, True), (31, False)])
def test_a_certificate_of_our_own_is_renewed_below_30_days(
    deployment: Deployment, days: int, is_renewed: bool
) -> None:
    tls = ("infra/compose", "run", "--rm", "--no-deps", "--no-TTY", "--entrypoint", "bash", "tls")
    deployment.script(*tls, "-c", RESIGN, "resign", str(days))
    deployment.script("infra/reload")
    assert (serial_of(deployment) != days) == is_renewed
    assert deployment.visitor().show().status == 200, "the authority is the same"


# TLS=files


class Authority:
    """An authority of the test's own."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "The test's authority")])
        self.certificate = self._signed(self.name, self.key, [], is_authority=True)

    def write_pair(self, folder: Path) -> dict[str, str]:
        """Write a certificate for 127.0.0.1 and its key; return the settings that name the files."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
        names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
        certificate = self._signed(name, key, names, is_authority=False)
        pem, nothing = serialization.Encoding.PEM, serialization.NoEncryption()
        (folder / "fullchain.pem").write_bytes(certificate.public_bytes(pem))
        (folder / "privkey.pem").write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, nothing)
        )
        (folder / "privkey.pem").chmod(0o600)
        return {
            "TLS": "files",
            "TLS_CERTIFICATE": str(folder / "fullchain.pem"),
            "TLS_KEY": str(folder / "privkey.pem"),
        }

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        names: list[x509.GeneralName],
        *,
        is_authority: bool,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=90))
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())


def serial_of(deployment: Deployment) -> int:
    with deployment.visitor().connect() as connection:
        assert isinstance(connection, ssl.SSLSocket)
        der = connection.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number


def test_a_certificate_is_changed_without_a_failed_request(deployment: Deployment, tmp_path: Path) -> None:
    authority = Authority()
    both = tmp_path / "both.pem"
    ours = authority.certificate.public_bytes(serialization.Encoding.PEM)
    both.write_bytes(Path(str(deployment.ca)).read_bytes() + ours)
    deployment.ca, before = str(both), deployment.ca
    crowd = CountingVisitors(deployment)
    try:
        crowd.get_around()
        serials = {serial_of(deployment)}
        for _ in range(2):
            deployment.script("infra/reload", **authority.write_pair(tmp_path))
            serials.add(serial_of(deployment))
        crowd.get_around()
        assert len(serials) == 3
        assert crowd.not_ok() == []
    finally:
        crowd.stop()
        deployment.ca = before
        deployment.script("infra/reload")


def test_a_key_of_another_certificate_is_refused_and_the_old_pair_stays(
    deployment: Deployment, tmp_path: Path
) -> None:
    serial = serial_of(deployment)
    authority, others = Authority(), tmp_path / "others"
    others.mkdir()
    wrong = authority.write_pair(tmp_path) | {"TLS_KEY": authority.write_pair(others)["TLS_KEY"]}
    done = deployment.script("infra/reload", fails=True, **wrong)
    assert "does not belong to the certificate of TLS_CERTIFICATE" in done.stdout + done.stderr
    assert serial_of(deployment) == serial
