"""What records, tables and figures call the leakage of pictures and tables of numbers."""
