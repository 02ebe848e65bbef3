"""The chat completions wire, free of any one provider: the provider's name is a parameter everywhere."""
