"""The manifests of Kubernetes render offline, and every object is what its schema says, strictly."""
