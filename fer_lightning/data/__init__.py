"""Faces: read from any source, cached, split, augmented, normalized, and cut into batches."""
