"""The compared methods: networks, weights, protocols, scores."""
