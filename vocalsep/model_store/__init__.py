"""The user's own models: fetch files, say what they are, convert them once, and remove them."""
