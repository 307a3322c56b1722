"""RTP and RTCP on the wire: plain functions over the bytes of one packet (RFC 3550 and what builds on it)."""
