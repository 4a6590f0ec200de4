"""The network behind HTTP: a page to draw on, an interface for programs, a camera. Needs the extra `serve`."""
