"""The commands of the device, one module each, and what they share."""
