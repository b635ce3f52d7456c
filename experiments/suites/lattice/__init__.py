"""`--suite=lattice`: what encryption costs, ours and TenSEAL's, side by side."""
