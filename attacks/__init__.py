"""Gradient inversion: what a server's view tells about the clients' examples.

Every attack is a pure function `(ServerView, Knowledge, Seed) -> Reconstruction`. It
receives what an honest-but-curious server has of a round and what the threat model
grants it beyond that, and never the truth: only `attacks.metrics`, which the
experiment calls afterwards, compares with it. What an example is (numbers, pictures
among them, or others) the knowledge says by its modality (`attacks.modality`).

    ServerView --target--> zero-filled vector, matched entries     (naive | mask_aware)
    Knowledge ----+              |
                  |              +--labels--> the classes, as far as the head tells
                  v              v
            analytic        closed form, or a target with hidden entries filled in
            second_order    L-BFGS on the L2 distance; rounds and clients together
            first_order     Adam on other distances and priors
            statistical     what public pictures and their gradients teach
                  |
              strongest     several of them, chosen by a rehearsal
                  v
            Reconstruction ....(experiment only)....> metrics.evaluate(., Truth)
"""
