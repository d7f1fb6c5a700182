# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Certificates and revocation lists: what is signed, and what is read of it. Nothing is kept here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives import serialization as ser
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError:
    # The module says so: see `missing_libraries`.
    pass

PERSON, GATEWAY = "person", "gateway"
# Clocks of machines and laptops differ; what is signed now must count at once.
SKEW = timedelta(hours=1)


class Damaged(Exception):
    """What should be a key or a certificate is none, or not one of ours."""


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, in PEM."""

    certificate: str
    key: str


@dataclass(frozen=True)
class Seen:
    """What a certificate says."""

    name: str
    serial: str
    until: datetime


@dataclass(frozen=True)
class Window:
    """From when to when a revocation list counts."""

    begins: datetime
    ends: datetime


def now() -> datetime:
    return datetime.now(timezone.utc).replace(microsecond=0)


def serial_number() -> str:
    return f"{x509.random_serial_number():040x}"


@dataclass(frozen=True)
class Authority:
    """The CA. Its key is in the secrets backend and, while this runs, in this process; nowhere else."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def load(cls, certificate: str, key: str) -> Authority:
        try:
            private = ser.load_pem_private_key(key.encode(), None)
            loaded = x509.load_pem_x509_certificate(certificate.encode())
        except (ValueError, TypeError):
            raise Damaged("its key or its certificate cannot be read") from None
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise Damaged("its key is no elliptic curve key")
        if private.public_key() != loaded.public_key():
            raise Damaged("its key and its certificate do not belong together")
        return cls(loaded, private)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(ser.Encoding.PEM).decode()

    @property
    def ends(self) -> datetime:
        return self.certificate.not_valid_after_utc

    def issue(self, name: str, role: str, serial: str, begins: datetime, ends: datetime) -> Issued:
        """A key, and a certificate by which its holder is this person or this gateway and nothing else."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if role == PERSON else ExtendedKeyUsageOID.SERVER_AUTH
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(int(serial, 16))
            .not_valid_before(begins - SKEW)
            # A chain is only as long-lived as its authority.
            .not_valid_after(min(ends, self.ends))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=True,
                    key_cert_sign=False,
                    crl_sign=False,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.certificate.public_key()),  # type: ignore[arg-type]  # ours is EC
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )
        return Issued(
            certificate.public_bytes(ser.Encoding.PEM).decode(),
            key.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.NoEncryption()).decode(),
        )

    def signed(self, certificate: str) -> Seen | None:
        """What a certificate says, if this authority signed it."""
        try:
            loaded = x509.load_pem_x509_certificate(certificate.encode())
            loaded.verify_directly_issued_by(self.certificate)
        except (ValueError, TypeError, InvalidSignature):
            return None
        name = loaded.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        said = str(name[0].value) if name else ""
        return Seen(said, f"{loaded.serial_number:040x}", loaded.not_valid_after_utc)

    def revocations(self, revoked: Iterable[tuple[str, datetime]], number: int, window: Window) -> str:
        """One list of revoked serials."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(window.begins)
            .next_update(min(window.ends, self.ends))
            .add_extension(x509.CRLNumber(number), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.certificate.public_key()),  # type: ignore[arg-type]  # ours is EC
                critical=False,
            )
        )
        for serial, moment in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(int(serial, 16)).revocation_date(moment)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(ser.Encoding.PEM).decode()

    def listed(self, text: str) -> tuple[Window, frozenset[str]] | None:
        """When a revocation list counts and what is on it, if this authority signed it."""
        try:
            loaded = x509.load_pem_x509_crl(text.encode())
            valid = loaded.is_signature_valid(self.key.public_key())
        except (ValueError, TypeError):
            return None
        if not valid or loaded.next_update_utc is None:
            return None
        window = Window(loaded.last_update_utc, loaded.next_update_utc)
        return window, frozenset(f"{entry.serial_number:040x}" for entry in loaded)


def windows(start: datetime, days: int, ahead: int) -> list[Window]:
    """The lives of lists that are signed in advance: each counts for `days`, the next begins when half of that is over,
    and together they reach `ahead` days."""
    life = timedelta(days=days)
    until = start + timedelta(days=max(days, ahead))
    found = [Window(start - SKEW, start + life)]
    while found[-1].ends < until:
        begins = found[-1].ends - life / 2
        found.append(Window(begins, min(begins + life, until)))
    return found
