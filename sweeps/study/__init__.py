"""A study: opened, identified, stored, locked and read."""
