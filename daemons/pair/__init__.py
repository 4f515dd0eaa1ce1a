"""What both ends of every pair have, above the link and the web front and below what the pair is for."""
