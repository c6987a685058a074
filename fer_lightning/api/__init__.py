"""The functions of `import fer_lightning`, and what they return; `docs/python.md` shows each of them."""
