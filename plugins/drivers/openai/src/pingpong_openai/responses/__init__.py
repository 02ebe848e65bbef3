"""The responses wire: items in, items out."""
