"""The topics as an operator sees them: read whole, dead letters settled, events sent again."""
