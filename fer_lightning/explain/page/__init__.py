"""Everything the project can say of a checkpoint, part by part, as files and one page."""
