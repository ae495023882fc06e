"""From names to items: what a page says of its own names, priors, values, and entities."""
