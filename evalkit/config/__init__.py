"""From words to a typed setup: `compose` speaks with Hydra, `setup` makes objects, `explain` makes errors readable."""
