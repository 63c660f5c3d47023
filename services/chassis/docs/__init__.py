"""Documentation that every service serves about itself: what each problem means, its OpenAPI, the events of the platform.

Owns: the pages under `/docs`, plain HTML with no script and nothing from elsewhere, so they work without a network.
Must not: know a service. What a service's own problems mean, it passes to `web.create_app`.
"""
