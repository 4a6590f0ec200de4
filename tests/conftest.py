"""A shell has Ctrl-C ignored for what it runs in the background, and children inherit that: the tests send it."""

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
