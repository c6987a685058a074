"""Search spaces, and the command line that writes them."""
