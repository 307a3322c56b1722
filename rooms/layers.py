"""From a subscriber's track settings to the layer that it is to get (LiveKit's GetQualityForDimension)."""

from dataclasses import dataclass
from typing import Self

from livekit.protocol import models, rtc

OFF = -1
"""Below every quality: nothing wanted."""
_SLACK = 0.9
"""A layer is large enough when it has this share of the size asked for."""
_DEFAULT_SIZES = (180, 360)
"""Heights of the two lower layers when the publisher didn't name them."""
_TEMPORAL_FPS = (7.5, 15.0, 30.0)
"""Frame rates of the temporal layers of a 30 fps stream with three of them."""
HIGHEST_TEMPORAL = 3


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """What a subscriber said about one track, or about none yet."""

    disabled: bool = False
    quality: models.VideoQuality = models.HIGH
    width: int = 0
    height: int = 0
    fps: int = 0

    @classmethod
    def from_request(cls, request: rtc.UpdateTrackSettings) -> Self:
        """Read an UpdateTrackSettings."""
        return cls(request.disabled, request.quality, request.width, request.height, request.fps)


def wanted_quality(info: models.TrackInfo, settings: TrackSettings) -> int:
    """The quality asked for, as a VideoQuality no higher than what is published, or OFF."""
    if settings.disabled:
        return OFF
    quality = settings.quality
    if settings.width and settings.height:
        quality = _quality_for_size(info, settings)
    if quality not in (models.LOW, models.MEDIUM, models.HIGH):
        return OFF
    return min(int(quality), max((int(layer.quality) for layer in info.layers), default=int(models.HIGH)))


def spatial_layer(info: models.TrackInfo, quality: int) -> int:
    """The layer that carries a quality: the best published one that isn't above it, or else the lowest."""
    if not info.layers:
        return max(quality, 0)
    return max(sum(int(layer.quality) <= quality for layer in info.layers) - 1, 0)


def temporal_layer(fps: int) -> int:
    """The highest temporal layer needed for a frame rate; 0 asks for no limit."""
    if not fps:
        return HIGHEST_TEMPORAL
    fitting = (layer for layer, rate in enumerate(_TEMPORAL_FPS) if rate >= _SLACK * fps)
    return next(fitting, HIGHEST_TEMPORAL)


def _quality_for_size(info: models.TrackInfo, settings: TrackSettings) -> models.VideoQuality:
    if info.type == models.AUDIO:
        return models.HIGH
    sizes, requested = _sizes(info, settings)
    for index, (quality, size) in enumerate(sizes):
        # Of two layers of one size the better one is meant.
        doubled = index + 1 < len(sizes) and sizes[index + 1][1] == size
        if size >= _SLACK * requested and not doubled:
            return quality
    return sizes[-1][0] if sizes else models.HIGH


def _sizes(
    info: models.TrackInfo, settings: TrackSettings
) -> tuple[list[tuple[models.VideoQuality, int]], int]:
    """The published sizes by quality, lowest first, and the size to look for among them."""
    named = [(layer.quality, layer.height) for layer in info.layers if layer.height]
    if named:
        return sorted(named, key=lambda layer: layer[1]), settings.height
    if not info.width or not info.height:
        return [], settings.height
    portrait = info.width < info.height
    original = info.width if portrait else info.height
    heights = (*(min(size, original) for size in _DEFAULT_SIZES), original)
    sizes = list(zip((models.LOW, models.MEDIUM, models.HIGH), heights, strict=True))
    return sizes, settings.width if portrait else settings.height
