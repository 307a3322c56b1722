"""Session descriptions: parse what clients send, choose codecs and extensions, write answers and offers."""
