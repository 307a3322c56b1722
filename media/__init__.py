"""Frames, for those who need them: codecs, packets of codecs, and the order and pace of both. PyAV's only door."""
