"""In what order: the DAG, recipes, the plan and the engine."""
