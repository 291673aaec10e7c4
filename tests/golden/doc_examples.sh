# The examples of the documentation that need no rights.
sh "$SLUICE_SOURCE/tests/support/run_doc_examples.sh" free
