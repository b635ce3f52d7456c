"""A modality that nothing of ours knows: tunes, of notes, with a genre each.

Its model, its attacks and its measure are these files and nothing else; the shared test
runs a whole study on it.
"""
