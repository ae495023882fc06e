"""What is paid for in pre-training: one file an objective."""
