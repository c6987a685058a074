"""What a network looks at, and whether the picture is true."""
