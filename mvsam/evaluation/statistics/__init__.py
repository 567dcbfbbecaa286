"""Statistics of the model, as the paper's Tables 7 and 8: times, parameters and operations, beside SAM2-Video."""
