"""From the app to the marts: collector, Kafka, lander, lake, loop."""
