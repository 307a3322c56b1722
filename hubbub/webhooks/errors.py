"""Why a delivery can't be replayed."""

from hubbub.errors import HubbubError


class NoSuchDelivery(HubbubError):
    """There is none of this id, or it is too old to be kept."""


class NoSuchTarget(HubbubError):
    """The configuration no longer has the target that the delivery is for."""
