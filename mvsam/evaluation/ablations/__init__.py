"""The paper's ablations at demo scale: small decoders trained on cached features, each different in one thing."""
