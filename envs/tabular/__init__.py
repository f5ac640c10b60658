"""Problems that are a table, solved exactly."""
