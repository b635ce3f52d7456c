"""Language models of KerasHub as pure functions of their weights."""
