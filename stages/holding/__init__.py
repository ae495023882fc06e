"""What of a corpus gives a benchmark away: its pairs, its pages, stretches of its text."""
