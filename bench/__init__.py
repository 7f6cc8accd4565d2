"""Speed beside a peer: ratios measured side by side in one run."""
