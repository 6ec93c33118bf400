"""What `penstock send` is made of."""
