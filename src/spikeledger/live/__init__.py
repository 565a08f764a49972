"""The live page: both networks inside one file, the joules of what they do, replays of recordings, and the server."""
