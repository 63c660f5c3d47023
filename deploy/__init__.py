"""What runs Cairn somewhere: the local stack, the seeds, images, dashboards."""
