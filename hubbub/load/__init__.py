"""``hubbub load``: light clients in numbers, to see what a LiveKit-compatible server carries.

The clients speak the signalling of ``/rtc/v1`` and real ICE, DTLS and SRTP, but nothing is encoded or decoded: frames
are made once, arriving packets are counted. ``plan``, ``vp8``, ``rtp``, ``sources``, ``sdp``, ``negotiation``, ``ice``,
``streams``, ``reports`` and ``summary`` do no I/O; the rest are the shells around them.
"""
