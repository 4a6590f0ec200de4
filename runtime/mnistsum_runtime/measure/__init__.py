"""What the commands bench, doctor and evaluate measure."""
