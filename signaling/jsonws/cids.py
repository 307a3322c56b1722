"""Which tracks an offer sends, for clients that announce a track without naming it."""

import re

_SECTION = re.compile(r"^m=(audio|video) ", re.MULTILINE)
_MSID = re.compile(r"^a=msid:\S+ (\S+)\s*$", re.MULTILINE)
_SENDS = re.compile(r"^a=(sendrecv|sendonly)\s*$", re.MULTILINE)
MAX_SECTIONS = 200


def sent_cids(sdp: str) -> list[tuple[str, str]]:
    """Kind and client id (the track half of ``a=msid``) of each section that media is sent on, in their order."""
    parts = _SECTION.split(sdp)[1 : 2 * MAX_SECTIONS + 1]
    found = []
    for kind, body in zip(parts[::2], parts[1::2], strict=True):
        msid = _MSID.search(body.partition("\nm=")[0])
        if msid is not None and _SENDS.search(body):
            found.append((kind, msid[1]))
    return found
