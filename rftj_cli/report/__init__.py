"""Values to terminal, Markdown and JSON. Nothing is computed here: what a report says was measured before."""
