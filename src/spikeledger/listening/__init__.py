"""Who listens to what runs, and how neurons of every library are read: shared by recorder, training and chips."""
