"""A line on the terminal that shows how far the test is."""

import sys
from typing import TextIO

WIDTH = 30


class Progress:
    """Draws on a terminal and is silent elsewhere."""

    def __init__(self, stream: TextIO = sys.stderr, *, enabled: bool = True) -> None:
        self._stream = stream
        self._enabled = enabled and stream.isatty()
        self._last = ""

    def show(self, label: str, done: float, total: float, note: str = "") -> None:
        """Redraw the bar."""
        if not self._enabled:
            return
        line = render(label, done, total, note)
        if line != self._last:
            self._stream.write(f"\r\x1b[K{line}")
            self._stream.flush()
            self._last = line

    def clear(self) -> None:
        """Remove the line."""
        if self._enabled and self._last:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._last = ""


def render(label: str, done: float, total: float, note: str) -> str:
    """The bar as text."""
    share = min(max(done / total, 0.0), 1.0) if total else 1.0
    full = round(share * WIDTH)
    return f"{label:<9} [{'#' * full}{'.' * (WIDTH - full)}] {note}".rstrip()
