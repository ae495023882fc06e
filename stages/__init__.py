"""What is done: one file a stage, kits beside them."""
