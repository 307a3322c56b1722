"""Access tokens, grants and API keys. Imports nothing of the other packages."""
