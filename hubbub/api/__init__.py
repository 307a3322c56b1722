"""Everything that Hubbub answers over HTTP."""
