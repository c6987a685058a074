"""Lightning callbacks, one concept a file; each looks on and never changes what is trained."""
