# The pages in docs/man are what the command tables say now; `make man` writes them.
sh "$SLUICE_SOURCE/scripts/man.sh" "$SLUICE" pages
diff -r pages "$SLUICE_SOURCE/docs/man" && echo "up to date"
"$SLUICE" completion bash | bash -n && echo "bash reads the completion"
