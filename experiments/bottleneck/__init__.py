"""Why a phase did not run faster: what its cores did, what each cause cost, and how fast it could be without it."""
