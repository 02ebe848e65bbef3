"""What a call costs in CPU time, beside other ways to make it, on this machine."""
