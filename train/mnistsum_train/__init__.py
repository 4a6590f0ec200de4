"""Train the two-input network: a picture of a digit and a number in, the digit and the sum out."""
