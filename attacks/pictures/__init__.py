"""What only pictures have: priors of photographs, retrieval, learned inverters."""
