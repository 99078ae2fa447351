"""Reading an encrypted assertion or NameID (XML Encryption 1.1; SAML Core 2.2.4, 2.3.4, 6).

What is encrypted says nothing about who sent it: our key is public. So this is no check of anything, and what comes out
is untrusted until a signature vouches for it. Two things are dangerous about decrypting for strangers, and refused:

- RSA with PKCS #1 v1.5, always: an answer that depends on its padding reveals the key's text (Bleichenbacher, 1998).
- AES-CBC, unless the ciphertext itself was signed and verified before: whoever may change it can read it, by what we
  answer (Jager and Somorovsky, 2011).

For the same reason every way in which decrypting itself fails is one refusal with one sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import SignInRefused
from core.refusals import ENCRYPTION_PROFILE, KEY_TRANSPORT_REFUSED, UNDECRYPTABLE
from core.saml import document
from core.saml.document import Element
from core.saml.elements import local_name
from core.saml.service_keys import ServiceKey, ServiceKeys

_XENC: Final = "http://www.w3.org/2001/04/xmlenc#"
_XENC11: Final = "http://www.w3.org/2009/xmlenc11#"
_DS: Final = "http://www.w3.org/2000/09/xmldsig#"
_E: Final = f"{{{_XENC}}}"
ENCRYPTED_DATA: Final = f"{_E}EncryptedData"
_ENCRYPTED_KEY: Final = f"{_E}EncryptedKey"
_METHOD: Final = f"{_E}EncryptionMethod"
_KEY_INFO: Final = f"{{{_DS}}}KeyInfo"
_CIPHER_DATA: Final = f"{_E}CipherData"
_CIPHER_VALUE: Final = f"{_E}CipherValue"
_WITHOUT_MEANING: Final = frozenset({f"{_E}ReferenceList", f"{_E}CarriedKeyName"})
"""Parts of an EncryptedKey that tell what it is for. There is one thing to decrypt, so nobody has to be told."""
_DIGEST_METHOD: Final = f"{{{_DS}}}DigestMethod"
_MGF: Final = f"{{{_XENC11}}}MGF"

_GCM: Final = {f"{_XENC11}aes{bits}-gcm": bits // 8 for bits in (128, 192, 256)}
_CBC: Final = {f"{_XENC}aes{bits}-cbc": bits // 8 for bits in (128, 192, 256)}
"""The ways to encrypt the content, with the length of the key in bytes."""
_PKCS1: Final = f"{_XENC}rsa-1_5"
_OAEP_MGF1P: Final = f"{_XENC}rsa-oaep-mgf1p"
_OAEP: Final = f"{_XENC11}rsa-oaep"

_SHA1: Final = f"{_DS}sha1"
_HASHES: Final[Mapping[str, Callable[[], hashes.HashAlgorithm]]] = {
    _SHA1: hashes.SHA1,
    f"{_XENC}sha256": hashes.SHA256,
    "http://www.w3.org/2001/04/xmldsig-more#sha384": hashes.SHA384,
    f"{_XENC}sha512": hashes.SHA512,
}
"""Of OAEP. SHA-1 is what nearly every provider uses, and the default (XML Encryption 5.5.2); OAEP rests on no property
of it that is broken."""
_MASKS: Final[Mapping[str, Callable[[], hashes.HashAlgorithm]]] = {
    f"{_XENC11}mgf1{made.name}": made for made in (hashes.SHA1, hashes.SHA256, hashes.SHA384, hashes.SHA512)
}
_MOST_KEYS: Final = 4
"""EncryptedKeys, each tried with each of our keys: a provider writes one, or one for each key in our metadata."""
_BLOCK: Final = 16
_NONCE: Final = 12
_TAG: Final = 16

_Opened = Callable[[bytes, bytes], bytes]
"""Takes key and ciphertext, answers the plaintext; raises ValueError or InvalidTag."""

_profile_refused = partial(SignInRefused, ENCRYPTION_PROFILE)


@dataclass(frozen=True, slots=True)
class Decryption:
    """How a connection reads what is encrypted: with which keys, and whether AES-CBC is taken where a verified signature
    covers it.
    """

    keys: ServiceKeys
    allow_cbc: bool = False


def algorithms_taken(*, allow_cbc: bool = False) -> tuple[str, ...]:
    """What our metadata asks for, the best first: for the content, then for the key."""
    return (*reversed(_GCM), *(reversed(_CBC) if allow_cbc else ()), _OAEP, _OAEP_MGF1P)


def decrypt(encrypted: Element, decryption: Decryption, *, signed: bool) -> bytes:
    """The bytes in an EncryptedAssertion or EncryptedID: those of an element, of which nothing is known yet.

    ``signed`` says that a verified signature covers ``encrypted``, as it stands here. Raises SignInRefused with
    KEY_TRANSPORT_REFUSED, ENCRYPTION_PROFILE or UNDECRYPTABLE.
    """
    data, *beside = encrypted
    if data.tag != ENCRYPTED_DATA or any(key.tag != _ENCRYPTED_KEY for key in beside):
        raise _profile_refused(f"The parts of {local_name(encrypted)}", expected="EncryptedData, EncryptedKey")
    if data.get("Type") not in {None, f"{_XENC}Element"}:
        raise _profile_refused("Type", expected=f"{_XENC}Element", received=data.get("Type", ""))
    method, key_info, cipher_data = _parts(data)
    open_content = _content(method, decryption, signed=signed)
    found = [*(key_info.iterchildren(_ENCRYPTED_KEY) if key_info is not None else ()), *beside]
    if not 0 < len(found) <= _MOST_KEYS:
        raise _profile_refused("EncryptedKeys", expected=f"1 to {_MOST_KEYS}", received=str(len(found)))
    transported = [_transported(key) for key in found]
    ciphertext = _octets(cipher_data)
    for key in _tried(transported, decryption.keys):
        with suppress(ValueError, InvalidTag):
            return open_content(key, ciphertext)
    raise SignInRefused(UNDECRYPTABLE, "No key of this connection reads it", expected=_names(decryption.keys))


def _parts(element: Element) -> tuple[Element, Element | None, Element]:
    """EncryptionMethod, KeyInfo and CipherData of an encrypted thing, in the order of the schema (XML Encryption 3.1)."""
    parts = [part for part in element if part.tag not in _WITHOUT_MEANING]
    tags = [part.tag for part in parts]
    if tags == [_METHOD, _KEY_INFO, _CIPHER_DATA]:
        return parts[0], parts[1], parts[2]
    if tags == [_METHOD, _CIPHER_DATA]:
        return parts[0], None, parts[1]
    received = ", ".join(local_name(part) for part in parts)
    raise _profile_refused(
        f"The parts of {local_name(element)}", expected="EncryptionMethod, KeyInfo, CipherData", received=received
    )


def _content(method: Element, decryption: Decryption, *, signed: bool) -> _Opened:
    """How the content is decrypted."""
    algorithm = method.get("Algorithm", "")
    if len(method):
        raise _profile_refused("The parts of EncryptionMethod", expected="none", received=local_name(method[0]))
    if algorithm in _GCM:
        return partial(_open_gcm, _GCM[algorithm])
    if algorithm not in _CBC:
        raise _profile_refused("The algorithm is not taken", expected=f"{_XENC11}aes256-gcm", received=algorithm)
    if not decryption.allow_cbc:
        raise _profile_refused(
            "AES-CBC is not taken by this connection", expected=f"{_XENC11}aes256-gcm", received=algorithm
        )
    if not signed:
        raise _profile_refused("AES-CBC is taken only in a signed Response", expected="a signed Response")
    return partial(_open_cbc, _CBC[algorithm])


def _open_gcm(length: int, key: bytes, ciphertext: bytes) -> bytes:
    """AES-GCM: 96 bits of nonce, the content, 128 bits of tag (XML Encryption 5.2.4)."""
    if len(key) != length or len(ciphertext) <= _NONCE + _TAG:
        raise ValueError
    return AESGCM(key).decrypt(ciphertext[:_NONCE], ciphertext[_NONCE:], None)


def _open_cbc(length: int, key: bytes, ciphertext: bytes) -> bytes:
    """AES-CBC: a block of nonce, whole blocks; the last byte says how many are padding (XML Encryption 5.2.2, 5.3).

    Nothing in CBC says that what comes out is what went in. What is no document has failed like wrong padding: were the
    two answered differently, the padding could be asked for.
    """
    if len(key) != length or len(ciphertext) % _BLOCK or len(ciphertext) < 2 * _BLOCK:
        raise ValueError
    opener = Cipher(algorithms.AES(key), modes.CBC(ciphertext[:_BLOCK])).decryptor()
    padded = opener.update(ciphertext[_BLOCK:]) + opener.finalize()
    if not 0 < padded[-1] <= _BLOCK:
        raise ValueError
    content = padded[: -padded[-1]]
    document.message(content)
    return content


@dataclass(frozen=True, slots=True)
class _Transported:
    """An encrypted key and how it is to be opened."""

    padding: padding.OAEP
    octets: bytes

    def opened(self, key: ServiceKey) -> bytes:
        """Raises ValueError."""
        return key.private.decrypt(self.octets, self.padding)


def _transported(key: Element) -> _Transported:
    """The profile of one EncryptedKey. Its KeyInfo, a hint which of our keys it is for, is not needed."""
    method, _, cipher_data = _parts(key)
    algorithm = method.get("Algorithm", "")
    if algorithm == _PKCS1:
        raise SignInRefused(KEY_TRANSPORT_REFUSED, "EncryptedKey", expected=_OAEP_MGF1P, received=algorithm)
    if algorithm not in {_OAEP_MGF1P, _OAEP}:
        raise _profile_refused("The algorithm of EncryptedKey", expected=_OAEP_MGF1P, received=algorithm)
    named = {part.tag: part.get("Algorithm", "") for part in method}
    if len(named) != len(method) or not named.keys() <= {_DIGEST_METHOD, _MGF}:  # OAEPparams: nobody sends any
        raise _profile_refused("The parts of EncryptionMethod", expected="DigestMethod, MGF")
    digest, mask = named.get(_DIGEST_METHOD, _SHA1), named.get(_MGF, f"{_XENC11}mgf1sha1")
    if digest not in _HASHES or mask not in _MASKS or (algorithm == _OAEP_MGF1P and _MGF in named):
        raise _profile_refused("OAEP", expected="SHA-1 or SHA-256", received=f"{digest} {mask}")
    return _Transported(
        padding.OAEP(mgf=padding.MGF1(_MASKS[mask]()), algorithm=_HASHES[digest](), label=None), _octets(cipher_data)
    )


def _tried(transported: list[_Transported], keys: ServiceKeys) -> Iterator[bytes]:
    """The content keys that our keys open. For whom an EncryptedKey says that it is (Recipient) is a hint that proves
    nothing: there are few enough to try all.
    """
    for wrapped in transported:
        for key in keys.all:
            with suppress(ValueError):
                yield wrapped.opened(key)


def _octets(cipher_data: Element) -> bytes:
    """The bytes of a CipherData that holds them. One that refers to them is refused: nothing is fetched."""
    values = list(cipher_data)
    if [value.tag for value in values] != [_CIPHER_VALUE] or len(values[0]):
        raise _profile_refused("CipherData", expected="CipherValue")
    try:
        return document.octets(values[0].text or "")
    except ValueError:
        raise _profile_refused("CipherValue is not base64") from None


def _names(keys: ServiceKeys) -> str:
    return ", ".join(certificate.fingerprint for certificate in keys.certificates)
