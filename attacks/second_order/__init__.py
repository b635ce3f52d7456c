"""Gradient matching by L-BFGS: DLG and what belongs to it.

matching      the compiled objective of a model, for any mask, picture and seed
problems      what is compared: rounds, clients, entries, classes to try
label_race    which of many classes a picture has, by their matching errors
joint_labels  classes optimised with the pictures
lbfgs         bounded starts, judged by the objective alone
dlg, idlg     one message, or the published aggregate
multi_round   several rounds of the same pictures
cohort        all messages of a round with their sum
trials        many messages at once, one compiled program (batched_lbfgs)
"""
