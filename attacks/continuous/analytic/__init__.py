"""Pictures in closed form, from the structure of a layer's gradient.

outer_product     rank one with missing entries: one picture behind a dense layer
low_rank          rank b with missing entries: b pictures
completed_target  what completion makes known of the hidden entries
softmax_head      a head of one picture of which whole rows are hidden
completion        the attack on dense layers, exact or as a better target for DLG
dense_inversion   the same without hidden entries in the way
r_gap             one picture through a chain of convolutions
"""
