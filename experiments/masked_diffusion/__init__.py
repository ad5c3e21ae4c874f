"""A causal and a masked-diffusion member of one size on the same stories."""
