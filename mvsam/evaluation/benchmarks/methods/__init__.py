"""What is compared: MV-SAM by every runtime, and what it has to beat."""
