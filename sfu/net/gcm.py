"""AES-GCM for SRTP (RFC 7714): keys derived for each use, in contexts of OpenSSL for compiled loops to encrypt with.

OpenSSL is the one that libsrtp has been built with. Where that doesn't show its functions, libsrtp does it all.
"""

from typing import Any

import cffi
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from sfu.compiled.srtp import RECEIVE, RECEIVE_RTCP, SEND, SEND_RTCP
from sfu.net.errors import SrtpError
from sfu.net.srtp import AEAD_AES_128_GCM, AEAD_AES_256_GCM, LIBRARY, SrtpKeys, SrtpProfile, location

_ffi = cffi.FFI()
_ffi.cdef("""
    void *EVP_CIPHER_CTX_new(void);
    void EVP_CIPHER_CTX_free(void *);
    void *EVP_aes_128_gcm(void);
    void *EVP_aes_256_gcm(void);
    int EVP_CipherInit_ex(void *, void *, void *, const char *, const char *, int);
    int EVP_CipherUpdate(void *, char *, int *, const char *, int);
    int EVP_CipherFinal_ex(void *, char *, int *);
    int EVP_CIPHER_CTX_ctrl(void *, int, int, void *);
""")

_ALGORITHMS = {AEAD_AES_128_GCM: "EVP_aes_128_gcm", AEAD_AES_256_GCM: "EVP_aes_256_gcm"}
_LABELS = {SEND: (0, 2), RECEIVE: (0, 2), SEND_RTCP: (3, 5), RECEIVE_RTCP: (3, 5)}
"""Of cipher key and salt (RFC 3711 section 4.3.2)."""
_CONTEXT_BYTES = 1000
"""About what a context takes, for the garbage collector to know."""
_ENCRYPT, _DECRYPT = 1, 0


def _open() -> Any:
    """OpenSSL, or None where it doesn't show what we need."""
    try:
        lib = _ffi.dlopen(LIBRARY)
        for name in ("EVP_CIPHER_CTX_new", "EVP_CIPHER_CTX_free", *_ALGORITHMS.values(), *_CALLED):
            getattr(lib, name)
    except (OSError, AttributeError):
        return None
    return lib


_CALLED = ("EVP_CipherInit_ex", "EVP_CipherUpdate", "EVP_CipherFinal_ex", "EVP_CIPHER_CTX_ctrl")
_lib = _open()

FUNCTIONS = [int(_ffi.cast("uintptr_t", getattr(_lib, name))) if _lib else 0 for name in _CALLED]
"""Where in memory they are that compiled loops call, as :mod:`sfu.compiled.srtp` numbers them."""


def takes(profile: SrtpProfile) -> bool:
    """Whether packets of a profile can be encrypted here."""
    return _lib is not None and profile in _ALGORITHMS


class GcmKeys:
    """The four keys of one transport. Raises SrtpError if a master key has the wrong size."""

    __slots__ = ("_contexts", "salts")

    def __init__(self, keys: SrtpKeys) -> None:
        self._contexts: dict[int, Any] = {}
        self.salts: dict[int, bytes] = {}
        """12 bytes, by use."""
        for use in (SEND, SEND_RTCP, RECEIVE, RECEIVE_RTCP):
            sends = use in (SEND, SEND_RTCP)
            master = keys.tx_key if sends else keys.rx_key
            key, self.salts[use] = _derived(keys.profile, master, *_LABELS[use])
            self._contexts[use] = _context(keys.profile, key, _ENCRYPT if sends else _DECRYPT)

    def context(self, use: int) -> int:
        """Where in memory OpenSSL's context for a use is; it goes with the keys."""
        return location(self._contexts[use])


def _context(profile: SrtpProfile, key: bytes, direction: int) -> Any:
    context = _ffi.gc(_lib.EVP_CIPHER_CTX_new(), _lib.EVP_CIPHER_CTX_free, _CONTEXT_BYTES)
    algorithm = getattr(_lib, _ALGORITHMS[profile])()
    if _lib.EVP_CipherInit_ex(context, algorithm, _ffi.NULL, key, _ffi.NULL, direction) != 1:
        raise SrtpError("OpenSSL takes no key")
    return context


def _derived(profile: SrtpProfile, master: bytes, key_label: int, salt_label: int) -> tuple[bytes, bytes]:
    """Session key and salt (RFC 3711 section 4.3.1, with RFC 7714 section 11 for the salt)."""
    if len(master) != profile.key_size + profile.salt_size:
        raise SrtpError("key size")
    key, salt = master[: profile.key_size], master[profile.key_size :]
    return _stream(key, salt, key_label, profile.key_size), _stream(key, salt, salt_label, profile.salt_size)


def _stream(key: bytes, salt: bytes, label: int, size: int) -> bytes:
    start = bytearray(salt.ljust(16, b"\0"))
    start[7] ^= label
    return Cipher(algorithms.AES(key), modes.CTR(bytes(start))).encryptor().update(bytes(size))
