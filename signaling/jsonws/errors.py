"""Why a request gets no answer but an error."""


class Refused(Exception):
    """A request that isn't carried out; the connection stays."""

    def __init__(self, code: str, message: str, request_id: str | int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.request_id = request_id
        """The request's own, where it isn't known otherwise."""
