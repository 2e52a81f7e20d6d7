"""RULER (Hsieh et al., 2024): texts of an asked length with something hidden in them."""
