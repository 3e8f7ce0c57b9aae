"""Connections and watchers: `flux.core.handle`, `flux.core.watchers`."""
