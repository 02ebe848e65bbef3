"""Task families: prompts that are really parsed, and whose answers can be checked."""
