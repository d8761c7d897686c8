"""What befalls commands: they are killed at random moments."""
