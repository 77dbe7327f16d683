"""What is unique in the whole domain: its index built, kept in writers' transactions, and compared with the rows."""
