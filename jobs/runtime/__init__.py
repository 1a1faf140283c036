"""What every application of Spark needs: its session, request, phases, Python workers, and what is freed between trials."""
