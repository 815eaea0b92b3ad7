"""How passwords are kept: never themselves.

A user logs in with MD5 or SHA-1 of `username:password` (semantics 6.1), so those digests are as good as the password;
kept is their scrypt hash. A device answers SIP digest challenges, for which HA1 (RFC 8760) must be kept as it is.
"""

import hashlib

_SCRYPT = {"n": 2**13, "r": 8, "p": 1}


def login_digests(username: str, password: str) -> dict[str, str]:
    """What a client sends, by method: hex of 32 ("md5") and 40 ("sha") characters."""
    text = f"{username}:{password}".encode()
    return {
        "md5": hashlib.md5(text, usedforsecurity=False).hexdigest(),
        "sha": hashlib.sha1(text, usedforsecurity=False).hexdigest(),
    }


def hardened(digest: str, salt: str) -> str:
    """What is kept of a digest; slow on purpose (tens of milliseconds), so run it in a thread.

    The salt is the account's: the same digest always gives the same text, by which the user is then found.
    """
    return hashlib.scrypt(digest.lower().encode(), salt=salt.encode(), dklen=32, **_SCRYPT).hex()


def kept_credentials(username: str, password: str, salt: str) -> dict[str, str]:
    """`{"md5": …, "sha": …}` to store with a user."""
    return {method: hardened(digest, salt) for method, digest in login_digests(username, password).items()}


def ha1(username: str, realm: str, password: str) -> dict[str, str]:
    """HA1 by digest algorithm name, as `sip.types.Credential` wants it."""
    text = f"{username}:{realm}:{password}".encode()
    return {
        "MD5": hashlib.md5(text, usedforsecurity=False).hexdigest(),
        "SHA-256": hashlib.sha256(text).hexdigest(),
    }
