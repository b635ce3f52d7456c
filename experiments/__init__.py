"""Runs the system: flags, data, studies, and what they leave behind."""

import os

# TensorFlow reads this when it is first imported; its notes on CPU instructions and
# missing CUDA drivers would bury what a run says. Warnings and errors still show.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
