"""What the runtime saw in a picture, as a picture."""
