"""The classes of a batch, read off the gradient of the classifier head.

Target --head.read_head--> HeadGradient (hidden entries filled where the
    |                                    conservation law determines them)
    v
rules.RULES[name](head, batch_size) --> Labels --hypotheses--> batches to try

`signs` is the rule for one picture that needs no more than signs.
"""
