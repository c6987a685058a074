"""Reports: tables of a study for the terminal and as files."""
