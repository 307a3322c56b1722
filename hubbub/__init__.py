"""Hubbub: an SFU media server that speaks LiveKit's protocols."""
