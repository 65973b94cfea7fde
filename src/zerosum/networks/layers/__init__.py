"""What several networks share, by concept; a network is a file of its own one folder up."""
