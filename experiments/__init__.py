"""Runs the system: flags, data, studies, and what they leave behind."""

import os

import federated  # noqa: F401  # Before any module of ours imports TFF: see there.

# TensorFlow reads this when it is first imported; its native log (CPU instructions,
# missing CUDA drivers) would bury what a run says. Python's exceptions are not affected;
# set the variable to 0 to see the log.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
