"""Keys that verify JWTs: a shared secret, or public keys in PEM, JWK or JWK Set."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OctKey, OKPKey, RSAKey

from marginalia import files
from marginalia.authentication.settings import BadKey
from marginalia.files import UnreadableFile

MIN_SECRET_BYTES = 32
"""The minimum length of a secret: that of the hash (RFC 7518, 3.2)."""

MIN_RSA_BITS = 2_048

LARGEST_KEY_FILE = 100_000
"""The maximum size of a file with keys, in bytes."""

_OF_CURVES = {"P-256": ("ES256",), "P-384": ("ES384",), "P-521": ("ES512",), "Ed25519": ("EdDSA", "Ed25519")}
_OF_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_PUBLIC_TYPES = ("RSA", "EC", "OKP")
_PEM_KEYS: Sequence[type[RSAKey | ECKey | OKPKey]] = (RSAKey, ECKey, OKPKey)


def read_file(path: Path) -> str:
    """Read a file with a secret or a key. Raises `BadKey`."""
    try:
        return files.read_text(path, most=LARGEST_KEY_FILE).strip()
    except UnreadableFile as error:
        raise BadKey(f"{path} {error}.") from None


def secret_key(secret: str, setting: str) -> OctKey:
    """Return the key of a shared secret. Raises `BadKey`."""
    if len(secret.encode()) < MIN_SECRET_BYTES:
        raise BadKey(f"{setting} is shorter than {MIN_SECRET_BYTES} bytes. To make one: python -m marginalia secret")
    try:
        return OctKey.import_key(secret)
    except ValueError:
        raise BadKey(f"{setting} is a public key, which is no secret: MARGINALIA_TOKEN_PUBLIC_KEY takes it.") from None


def public_keys(text: str, setting: str) -> Sequence[Key]:
    """Return the public keys in PEM, a JWK or a JWK Set. Raises `BadKey`."""
    try:
        keys = _of_json(json.loads(text)) if text.lstrip().startswith("{") else _of_pem(text)
    except (JoseError, ValueError, TypeError, RecursionError):
        raise BadKey(f"{setting} is neither a public key in PEM nor a JWK or JWK Set.") from None
    if any(isinstance(key, OctKey) or key.is_private for key in keys):
        raise BadKey(f"{setting} is a secret or a private key; it takes a public key.")
    if not keys or not all(map(algorithms_of, keys)):
        raise BadKey(f"{setting} has a key of another kind: it takes Ed25519, P-256, or RSA of {MIN_RSA_BITS} bits.")
    return keys


def published_keys(data: Mapping[str, Any]) -> Sequence[Key]:
    """Return the keys of an issuer's JWK Set that can verify signatures. Others are ignored (RFC 7517, 5)."""
    listed = data.get("keys")
    keys = []
    for each in listed if isinstance(listed, list) else ():
        if not isinstance(each, dict) or each.get("kty") not in _PUBLIC_TYPES:
            continue
        try:
            key = JWKRegistry.import_key(each)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            continue
        if key.get("use", "sig") == "sig" and algorithms_of(key) and not key.is_private:
            keys.append(key)
    return keys


def algorithms_of(key: Key) -> Sequence[str]:
    """Return the algorithms that a key may verify: the one that it names, or those of its type."""
    if isinstance(key, OctKey):
        algorithms: Sequence[str] = ("HS256",)
    elif isinstance(key, RSAKey):
        algorithms = _OF_RSA if key.raw_value.key_size >= MIN_RSA_BITS else ()
    else:
        algorithms = _OF_CURVES.get(key.curve_name, ())
    named = key.get("alg")
    return [name for name in algorithms if named in (None, name)]


def _of_pem(text: str) -> Sequence[Key]:
    for kind in _PEM_KEYS:
        try:
            return [kind.import_key(text)]
        except JoseError:  # a key of another type
            continue
    raise ValueError


def _of_json(data: dict[str, Any]) -> Sequence[Key]:
    if "keys" in data:
        return [JWKRegistry.import_key(each) for each in data["keys"]]
    return [JWKRegistry.import_key(data)]
