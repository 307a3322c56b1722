"""What an SFU reads of a codec's payload: where key frames begin, and the numbers that munging rewrites.

A payload is opaque under end-to-end encryption, and descriptors may then hold nonsense. So nothing here
raises: a payload that can't be read is no key frame, or ``None``, and is still forwarded.
"""
