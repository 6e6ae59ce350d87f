"""Pictures of programs and of what they did: control flow, maps over time, and the page that holds them."""
