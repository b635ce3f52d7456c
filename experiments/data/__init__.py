"""Real pictures with honest names, and how they are shared out among clients.

`catalog.load(name)` returns a `Dataset` that says what it really is: a part of a data
set never carries the name of the whole. Nothing here prints or asks a question, and
nothing reaches for the network unless it is told that it may; of packages in `text` that
is their first use. `own.load(source)` returns
the `OwnData` of a user.
"""
