"""The kit of the report: tables, plots and the page that holds them."""
