"""Pictures from the inputs of dense layers: what natural pictures look like is known."""
