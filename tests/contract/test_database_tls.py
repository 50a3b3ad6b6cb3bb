"""TLS to the database: its certificate has to be by the right authority, and for the right name."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from database_server import DatabaseServer, running
from worlds import new_key

from hopproof.handler import Change, SessionStoreUnavailable
from hopproof.mysql import Database, MySQLHandler


def write_certificates(folder: Path, name: str) -> None:
    """Write an authority, NAME-ca.pem, and by it NAME.pem: key and certificate of a server at 127.0.0.1."""
    now = datetime.datetime.now(datetime.UTC)
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"authority {name}")])

    def builder(subject: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )

    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "database")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    ca = builder(issuer, authority.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    leaf = builder(subject, key.public_key()).add_extension(address, critical=False)
    pem = serialization.Encoding.PEM
    (folder / f"{name}-ca.pem").write_bytes(ca.sign(authority, hashes.SHA256()).public_bytes(pem))
    (folder / f"{name}.pem").write_bytes(
        leaf.sign(authority, hashes.SHA256()).public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    folder.chmod(0o755)
    for name in ("right", "other"):
        write_certificates(folder, name)
    (folder / "my.cnf").write_text(
        "[mysqld]\nssl_ca = /etc/certificates/right-ca.pem\n"
        "ssl_cert = /etc/certificates/right.pem\nssl_key = /etc/certificates/right.pem\n"
    )
    for file in folder.iterdir():
        file.chmod(0o644)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[DatabaseServer]:
    with running("MYSQL_IMAGE", folder / "my.cnf", folder) as server:
        with server.admin() as admin:
            admin.ask("ALTER USER web REQUIRE SSL")
        yield server


def handler_at(database: Database) -> MySQLHandler:
    handler = MySQLHandler(database.pool())
    handler.open()
    return handler


def trusting(folder: Path, name: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=folder / f"{name}-ca.pem")


def test_a_session_travels_by_tls_and_its_connection_is_kept(server: DatabaseServer, folder: Path) -> None:
    handler = handler_at(replace(server.web, tls=trusting(folder, "right")))
    key = new_key()
    handler.write(key, Change(set={"n": 1}, create=True))
    ((_, cipher),) = handler.connection.ask("SHOW SESSION STATUS LIKE 'Ssl_cipher'").rows
    ((first,),) = handler.connection.ask("SELECT CONNECTION_ID()").rows
    handler.close()
    handler.open()
    assert handler.read(key).data == {"n": 1}  # type: ignore[union-attr]
    assert handler.connection.ask("SELECT CONNECTION_ID()").rows == ((first,),)
    assert cipher


def test_a_certificate_by_another_authority_is_an_outage(server: DatabaseServer, folder: Path) -> None:
    handler = handler_at(replace(server.web, tls=trusting(folder, "other")))
    with pytest.raises(SessionStoreUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        handler.read(new_key())


def test_a_certificate_for_another_name_is_an_outage(server: DatabaseServer, folder: Path) -> None:
    handler = handler_at(replace(server.web, host="localhost", tls=trusting(folder, "right")))
    with pytest.raises(SessionStoreUnavailable, match=r"Hostname mismatch|not valid for 'localhost'"):
        handler.read(new_key())


def test_an_account_that_demands_tls_lets_nobody_in_without(server: DatabaseServer) -> None:
    handler = handler_at(server.web)
    with pytest.raises(SessionStoreUnavailable, match="Access denied"):
        handler.read(new_key())
