"""What every driver is held to: recorded traffic judged by independent oracles, and published API descriptions."""
