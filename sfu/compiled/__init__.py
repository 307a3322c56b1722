"""The packet path's inner loops, written in Python and compiled to machine code by numba.

A loop that runs for each packet, or for each copy of one, and does nothing but move numbers and bytes, is here; what
is decided now and then is ordinary Python elsewhere and leaves its result in arrays that these loops read. See
``docs/decisions/0011-inner-loops-are-compiled.md``.

What is compiled is kept on disk and thrown away when a file of this package changes. So nothing here may depend on a
file outside: constants that are frozen into machine code are defined here, and imported from here.
"""
