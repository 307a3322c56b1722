"""Everything that can be wrong with a key or a token.

::

    AuthError
    ├── InvalidKeyFile          a key file or key map that can't be used; never quotes a secret
    ├── UnknownKey              no secret is known for the API key
    └── TokenError
        ├── MalformedToken      not a JWT with an object for a payload, or too long
        ├── BadSignature        another algorithm than HS256, or signed with another secret
        └── InvalidClaims
            ├── MissingExpiry
            ├── TokenExpired
            ├── TokenNotYetValid
            └── MalformedClaims a claim has the wrong type

The text of each is what a LiveKit server answers in the body of its 401, so that users see what they know.
"""


class AuthError(Exception):
    """Root of the package's errors."""


class InvalidKeyFile(AuthError):
    """A key file or key map that can't be used. The text names the line, never a secret."""


class UnknownKey(AuthError):
    """The API key that issued (or shall sign) a token is not one of ours."""

    def __init__(self) -> None:
        super().__init__("invalid API key")


class TokenError(AuthError):
    """A token that must not be believed."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(f"invalid authorization token{': ' if detail else ''}{detail}")


class MalformedToken(TokenError):
    """Not a JWT, or longer than any token of ours."""

    def __init__(self) -> None:
        super().__init__()


class BadSignature(TokenError):
    """The signature does not hold, or is of an algorithm other than HS256."""

    def __init__(self, detail: str = "signature is invalid") -> None:
        super().__init__(f"token signature is invalid: {detail}")


class InvalidClaims(TokenError):
    """The signature holds, but not what was signed."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"token has invalid claims: {detail}")


class MissingExpiry(InvalidClaims):
    """There is no ``exp``: a token for ever is refused."""

    def __init__(self) -> None:
        super().__init__("token is missing required claim: exp claim is required")


class TokenExpired(InvalidClaims):
    """``exp`` is past, leeway included."""

    def __init__(self) -> None:
        super().__init__("token is expired")


class TokenNotYetValid(InvalidClaims):
    """``nbf`` or ``iat`` is still to come, leeway included."""

    def __init__(self) -> None:
        super().__init__("token is not valid yet")


class MalformedClaims(InvalidClaims):
    """A claim has another type than the protocol gives it."""

    def __init__(self, claim: str) -> None:
        super().__init__(f"{claim} has the wrong type")
        self.claim = claim
        """Dotted name of the claim, such as ``video.roomJoin``."""
