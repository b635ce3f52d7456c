"""Gradient matching by L-BFGS: DLG and what belongs to it.

problems      what is compared: rounds, clients, entries, classes to try
label_race    which of many classes a picture has, by their matching errors
joint_labels  classes optimised with the pictures
dlg, idlg     one message, or the published aggregate
multi_round   several rounds of the same pictures
cohort        all messages of a round with their sum
"""
