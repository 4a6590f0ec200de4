"""From a picture of any kind to the 28x28 field that the network reads."""
