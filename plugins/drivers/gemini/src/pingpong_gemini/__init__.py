"""The Gemini driver: codecs, dialects and cards of the Gemini API. The hook is in `pingpong_gemini.plugin`."""
