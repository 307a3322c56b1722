"""How many datagrams to take at once: fewer where they mean many copies, so that a batch holds nobody up for long.

A batch of 256 packets of a meeting of 25 is 2,000 copies, of one of 60 it is 15,000: ten and sixty milliseconds. What
is not taken waits in the socket, where it costs nothing.
"""

COPIES = 1_024
"""Copies that a batch may come to: five milliseconds. Half as many cost a fifth more each."""
LEAST = 16


class Appetite:
    """Fed with what batches came to."""

    __slots__ = ("datagrams", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self.datagrams = most
        """To be taken next."""

    def had(self, datagrams: int, copies: int) -> None:
        """Note how many copies went out at once after taking so many datagrams."""
        if copies > COPIES:
            self.datagrams = min(self.datagrams, max(LEAST, datagrams * COPIES // copies))
        elif datagrams >= self.datagrams and copies <= COPIES // 2:
            self.datagrams = min(self.most, 2 * self.datagrams)
