"""The targets by name. A target takes any bytes; whatever it raises is a finding.

To add one: write a function in a ``*_targets.py`` beside this file that catches nothing but the errors its parser
promises, list it here, and put a few seeds into ``corpus/<name>/``.
"""

from collections.abc import Callable
from pathlib import Path

from tests.fuzz import codec_targets, net_targets, rtp_targets, sdp_targets, signaling_targets

Target = Callable[[bytes], object]

CORPUS = Path(__file__).parent / "corpus"

TARGETS: dict[str, Target] = {
    "rtp": rtp_targets.header,
    "extensions": rtp_targets.extensions,
    "rtcp": rtp_targets.compound,
    "twcc": rtp_targets.feedback,
    "vp8": codec_targets.vp8_payload,
    "vp9": codec_targets.vp9_payload,
    "h264": codec_targets.h264_payload,
    "h265": codec_targets.h265_payload,
    "av1": codec_targets.av1_payload,
    "opus": codec_targets.opus_payload,
    "red": codec_targets.red_payload,
    "dependency_descriptor": codec_targets.dependency,
    "signal_frame": signaling_targets.frame,
    "join_request": signaling_targets.join_request,
    **net_targets.TARGETS,
    **sdp_targets.TARGETS,
}


def seeds(name: str) -> list[bytes]:
    """Read the corpus of a target, in order of file name."""
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]
