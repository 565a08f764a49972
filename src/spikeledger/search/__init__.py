"""Search: the network that costs least. Optuna proposes, trials measure, and the folder of trials is what is known."""
