"""What is trained: batches, encoders, losses and the loop; torch stays in here."""
