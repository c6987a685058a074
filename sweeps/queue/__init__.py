"""The trials as a queue that several processes share: claimed, leased, kept alive and recovered."""
