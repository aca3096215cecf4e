# Copyright: (c) 2026, The Keepwell authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private to keepwell.fleet: read the few facts of an X.509 certificate that maintenance needs.

A reader of our own because hosts have no library for it and ``openssl x509`` costs a process per certificate. It
verifies nothing; whatever is malformed raises ValueError. Only CERTIFICATE blocks of a PEM file are ever decoded.

Runs on managed hosts: standard library only, Python 3.6 syntax.
"""

import base64
import binascii
import calendar
import hashlib
import re
import socket
import time

INTEGER, BIT_STRING, OCTET_STRING, OID, UTC_TIME, GENERALIZED_TIME = 0x02, 0x03, 0x04, 0x06, 0x17, 0x18
BOOLEAN, SEQUENCE, SET, VERSION_TAG, EXTENSIONS_TAG = 0x01, 0x30, 0x31, 0xA0, 0xA3
SUBJECT_ALTERNATIVE_NAME, BASIC_CONSTRAINTS = "2.5.29.17", "2.5.29.19"
RSA = "1.2.840.113549.1.1.1"
ELLIPTIC_CURVE = "1.2.840.10045.2.1"
KEY_TYPES = {RSA: "RSA", ELLIPTIC_CURVE: "EC", "1.3.101.112": "ED25519", "1.3.101.113": "ED448"}
CURVE_BITS = {"1.2.840.10045.3.1.7": 256, "1.3.132.0.34": 384, "1.3.132.0.35": 521, "1.3.132.0.10": 256}
ATTRIBUTES = {"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU"}
NAME_CAP = 100
_BLOCK = re.compile(
    r"-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----(.*?)-----END (?:X509 |TRUSTED )?CERTIFICATE-----", re.S
)


def pem_certificates(text):
    """Return the DER bytes of every certificate in a PEM text; everything else in it is left alone.

    Raises ValueError for a block that is not base64 or has no end.
    """
    found = []
    for kind, body in _BLOCK.findall(text):
        try:
            der = base64.b64decode("".join(body.split()), validate=True)
        except binascii.Error:
            raise ValueError("a CERTIFICATE block is not base64") from None
        # OpenSSL's own "trusted" form puts its trust settings behind the certificate.
        found.append(der[: element(der, 0, SEQUENCE)[1]] if kind == "TRUSTED " else der)
    if len(re.findall("-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----", text)) != len(found):
        raise ValueError("a CERTIFICATE block has no end")
    return found


def element(data, offset, *wanted):
    """Return (start of the content, end, tag) of the element at ``offset``.

    Raises ValueError when it does not fit into ``data`` or has none of the ``wanted`` tags.
    """
    if offset + 2 > len(data):
        raise ValueError("the certificate ends too early")
    tag, size, start = data[offset], data[offset + 1], offset + 2
    if size & 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4 or start + count > len(data):
            raise ValueError("the certificate has an element of unreadable length")
        size = int.from_bytes(data[start : start + count], "big")
        start += count
    if start + size > len(data):
        raise ValueError("the certificate ends too early")
    if wanted and tag not in wanted:
        raise ValueError("the certificate has tag 0x%02x where 0x%02x belongs" % (tag, wanted[0]))
    return start, start + size, tag


def children(data, start, end):
    """Return (tag, content start, content end, element start) of the elements between two offsets."""
    found = []
    while start < end:
        content, after, tag = element(data, start)
        if after > end:
            raise ValueError("the certificate has an element that leaves its parent")
        found.append((tag, content, after, start))
        start = after
    return found


def parse_certificate(der):
    """Return the facts of one certificate.

    Keys: ``fingerprint`` (SHA-256, hexadecimal), ``serial`` (hexadecimal), ``subject`` and ``issuer`` (texts),
    ``common_name``, ``names`` (DNS names and addresses of the subjectAltName), ``not_before`` and ``not_after``
    (epoch), ``self_signed`` (issuer and subject are the same), ``ca``, ``key_type``, ``key_bits``,
    ``subject_hash`` and ``issuer_hash`` (to match a chain). Raises ValueError when it is not a certificate.
    """
    outer_start, outer_end, _tag = element(der, 0, SEQUENCE)
    if outer_end != len(der):
        raise ValueError("there are bytes behind the certificate")
    start, end, _tag = element(der, outer_start, SEQUENCE)
    parts = children(der, start, end)
    if parts and parts[0][0] == VERSION_TAG:
        parts = parts[1:]
    wanted = (INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE)
    if len(parts) < len(wanted) or [part[0] for part in parts[:6]] != list(wanted):
        raise ValueError("the certificate lacks a field")
    serial, _signature, issuer, validity, subject, key = parts[:6]
    moments = children(der, validity[1], validity[2])
    if len(moments) != 2:
        raise ValueError("the certificate has no validity")
    issuer_der, subject_der = der[issuer[1] : issuer[2]], der[subject[1] : subject[2]]
    subject_pairs = _name(der, subject)
    key_type, key_bits = _key(der, key)
    names, authority = _extensions(der, parts[6:])
    return {
        "fingerprint": hashlib.sha256(der).hexdigest(),
        "serial": "%x" % int.from_bytes(der[serial[1] : serial[2]], "big"),
        "subject": _text(subject_pairs),
        "issuer": _text(_name(der, issuer)),
        "common_name": next((value for key_name, value in subject_pairs if key_name == "CN"), None),
        "names": names,
        "not_before": parse_time(der, moments[0]),
        "not_after": parse_time(der, moments[1]),
        "self_signed": issuer_der == subject_der,
        "ca": authority,
        "key_type": key_type,
        "key_bits": key_bits,
        "subject_hash": hashlib.sha256(subject_der).hexdigest()[:16],
        "issuer_hash": hashlib.sha256(issuer_der).hexdigest()[:16],
    }


def parse_time(der, part):
    """Epoch seconds of a UTCTime (years 1950 to 2049) or GeneralizedTime; RFC 5280 allows only the ``Z`` form."""
    tag, start, end = part[0], part[1], part[2]
    text = der[start:end].decode("latin-1")
    if tag == UTC_TIME and re.match(r"^\d{12}Z$", text):
        text = ("19" if text[0] >= "5" else "20") + text
    elif not (tag == GENERALIZED_TIME and re.match(r"^\d{14}Z$", text)):
        raise ValueError("the certificate has an unreadable time: %r" % text[:40])
    return calendar.timegm(time.strptime(text, "%Y%m%d%H%M%SZ"))


def parse_oid(data):
    """Dotted text of an object identifier's content bytes."""
    if not data or data[-1] & 0x80:
        raise ValueError("the certificate has an unreadable object identifier")
    numbers, value = [], 0
    for byte in bytearray(data):
        value = (value << 7) | (byte & 0x7F)
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(str(number) for number in [first, numbers[0] - 40 * first] + numbers[1:])


def _name(der, part):
    pairs = []
    for tag, start, end, _at in children(der, part[1], part[2]):
        for _tag, pair_start, pair_end, _at in children(der, start, end) if tag == SET else ():
            fields = children(der, pair_start, pair_end)
            if len(fields) != 2 or fields[0][0] != OID:
                raise ValueError("the certificate has an unreadable name")
            oid = parse_oid(der[fields[0][1] : fields[0][2]])
            encoding = "utf-16-be" if fields[1][0] == 0x1E else "utf-8"
            pairs.append((ATTRIBUTES.get(oid, oid), der[fields[1][1] : fields[1][2]].decode(encoding, "replace")))
    return pairs


def _text(pairs):
    return ", ".join("%s=%s" % pair for pair in pairs)[:300]


def _key(der, part):
    fields = children(der, part[1], part[2])
    if len(fields) != 2 or fields[1][0] != BIT_STRING:
        raise ValueError("the certificate has no public key")
    algorithm = children(der, fields[0][1], fields[0][2])
    if not algorithm or algorithm[0][0] != OID:
        raise ValueError("the certificate has no key algorithm")
    oid = parse_oid(der[algorithm[0][1] : algorithm[0][2]])
    bits = {"1.3.101.112": 256, "1.3.101.113": 456}.get(oid)
    if oid == ELLIPTIC_CURVE and len(algorithm) > 1 and algorithm[1][0] == OID:
        bits = CURVE_BITS.get(parse_oid(der[algorithm[1][1] : algorithm[1][2]]))
    elif oid == RSA:
        start, _end, _tag = element(der, fields[1][1] + 1, SEQUENCE)
        modulus, modulus_end, _tag = element(der, start, INTEGER)
        bits = int.from_bytes(der[modulus:modulus_end], "big").bit_length()
    return KEY_TYPES.get(oid, oid), bits


def _extensions(der, parts):
    """(DNS names and addresses, is a certificate authority)."""
    names, authority = [], False
    for tag, start, _end, _at in parts:
        if tag != EXTENSIONS_TAG:
            continue
        list_start, list_end, _tag = element(der, start, SEQUENCE)
        for _tag, extension_start, extension_end, _at in children(der, list_start, list_end):
            fields = children(der, extension_start, extension_end)
            if len(fields) < 2 or fields[0][0] != OID or fields[-1][0] != OCTET_STRING:
                raise ValueError("the certificate has an unreadable extension")
            oid = parse_oid(der[fields[0][1] : fields[0][2]])
            if oid in (SUBJECT_ALTERNATIVE_NAME, BASIC_CONSTRAINTS):
                inner_start, inner_end, _tag = element(der, fields[-1][1], SEQUENCE)
                inner = children(der, inner_start, inner_end)
                if oid == SUBJECT_ALTERNATIVE_NAME:
                    names = [name for name in (_general_name(der, entry) for entry in inner) if name]
                else:
                    authority = any(entry[0] == BOOLEAN and der[entry[1] : entry[2]] != b"\0" for entry in inner)
    return names[:NAME_CAP], authority


def _general_name(der, part):
    content = der[part[1] : part[2]]
    if part[0] == 0x82:
        return content.decode("latin-1")
    if part[0] == 0x87 and len(content) in (4, 16):
        return socket.inet_ntop(socket.AF_INET if len(content) == 4 else socket.AF_INET6, content)
    return None
