"""The parts of `experiments.analyse`: options, the study of one picture, the report."""
