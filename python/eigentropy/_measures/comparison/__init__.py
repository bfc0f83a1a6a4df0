"""Whether measures of several representations differ by more than their sampling error."""
