"""Lightning callbacks, one concept a file; none changes what is trained."""
