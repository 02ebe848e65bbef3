"""The simulator: every driver's server half, with seeded answers and faults on demand."""
